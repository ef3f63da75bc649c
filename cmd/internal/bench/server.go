package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A server is a subject that listens on a Unix socket.
type server struct {
	process *peer.Process
	socket  string
}

// patience bounds one run of a load; a disk that needs more is not for this.
const patience = 10 * time.Minute

// run puts smtp-source on it. With -d a session keeps its connection. smtp-source writes one message
// at a time, whatever its sessions: of long ones several at once need several of it.
func (s *server) run(ctx context.Context, l Load, messages int) (sample, error) {
	before, err := sessionCPU(s.process.Pid())
	if err != nil {
		return sample{}, err
	}
	var load time.Duration
	begin := time.Now()
	for left := messages; left > 0; {
		now := min(left, mailboxes*aliases/l.Recipients)
		cpu, err := s.sources(ctx, l, now)
		if err != nil {
			return sample{}, err
		}
		load += cpu
		left -= now
	}
	took := time.Since(begin)
	after, err := sessionCPU(s.process.Pid())
	return sample{took: took, cpu: after - before, load: load}, err
}

// sources shares messages and sessions among as many smtp-source as the load is to come from.
func (s *server) sources(ctx context.Context, l Load, messages int) (time.Duration, error) {
	n := max(1, l.Sources)
	var total atomic.Int64
	_, err := inSessions(n, n, func(i int) error {
		share := l
		share.Sessions = portion(l.Sessions, n, i)
		cpu, err := s.source(ctx, share, portion(messages, n, i))
		total.Add(int64(cpu))
		return err
	})
	return time.Duration(total.Load()), err
}

// portion is the share of the i-th of n.
func portion(whole, n, i int) int { return whole*(i+1)/n - whole*i/n }

// source runs smtp-source once, and gives the processor time that it used. -N counts up the addresses.
func (s *server) source(ctx context.Context, l Load, messages int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := []string{
		"-L", "-d", "-M", "client.example", "-f", "sender@client.example",
		"-s", strconv.Itoa(min(l.Sessions, messages)), "-m", strconv.Itoa(messages),
		"-r", strconv.Itoa(l.Recipients), "-l", strconv.Itoa(l.Size),
	}
	if l.Box == "" {
		args = append(args, "-N", "-t", "u@"+domain)
	} else {
		args = append(args, "-t", l.Box+"@"+domain)
	}
	cmd := exec.CommandContext(ctx, smtpSource(), append(args, "unix:"+s.socket)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("smtp-source %s: %w: %s\n%s", strings.Join(args, " "), err, bytes.TrimSpace(out),
			lastLines(s.process.Output()))
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// smtpSource finds the program of Debian's package postfix.
func smtpSource() string {
	for _, path := range []string{"/usr/sbin/smtp-source", "/usr/local/sbin/smtp-source"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "smtp-source"
}

// lastLines returns the end of a server's output, which may say why.
func lastLines(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// startServer starts a program that does all its work in one process: as the mail user, unless cmd
// says otherwise.
func startServer(s site, socket string, cmd *exec.Cmd) (subject, error) {
	if os.Geteuid() == 0 && cmd.SysProcAttr == nil {
		cmd.SysProcAttr = asMailUser()
	}
	server := &server{socket: socket}
	err := s.launch(func() {
		server.process = peer.Start(s, cmd)
		peer.AwaitListener(s, server.process, "unix", socket)
	})
	return server, err
}
