package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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

// run puts smtp-source on it. With -d a session keeps its connection.
func (s *server) run(ctx context.Context, l Load, messages int) (sample, error) {
	before, err := sessionCPU(s.process.Pid())
	if err != nil {
		return sample{}, err
	}
	begin := time.Now()
	for left := messages; left > 0; {
		now := min(left, mailboxes*aliases/l.Recipients)
		if err := s.source(ctx, l, now); err != nil {
			return sample{}, err
		}
		left -= now
	}
	took := time.Since(begin)
	after, err := sessionCPU(s.process.Pid())
	return sample{took: took, cpu: after - before}, err
}

// source runs smtp-source once. -N counts up the addresses.
func (s *server) source(ctx context.Context, l Load, messages int) error {
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
		return fmt.Errorf("smtp-source %s: %w: %s\n%s", strings.Join(args, " "), err, bytes.TrimSpace(out), lastLines(s.process.Output()))
	}
	return nil
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

// lastLines gives the end of a server's output, which may say why.
func lastLines(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// doorstep starts the program with a line for [store].
func doorstep(program, store string) func(site) (subject, error) {
	return func(s site) (subject, error) {
		socket, config := filepath.Join(peer.MailDir(s), "lmtp"), filepath.Join(peer.Dir(s), "doorstep.toml")
		if err := os.WriteFile(config, []byte(doorstepConfig(s, socket, store)), 0o644); err != nil {
			return nil, err
		}
		return startServer(s, socket, exec.Command(program, "serve", "-c", config))
	}
}

// doorstepConfig raises the bound of connections and leaves all else as it is.
func doorstepConfig(s site, socket, store string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `hostname = "mx.%s"
[[listen]]
address = "unix:%s"
mode = "0666"
[limits]
connections = 20000
[store]
path = "%s/{local}"
%s
[[domain]]
name = "%s"
`, domain, socket, s.mail(), store, domain)
	user := func(box string, aliases ...string) {
		fmt.Fprintf(&b, "[[user]]\naddress = %q\naliases = [", box+"@"+domain)
		for _, a := range aliases {
			fmt.Fprintf(&b, "%q, ", a+"@"+domain)
		}
		b.WriteString("]\n")
	}
	for i, box := range boxes() {
		user(box, aliasesOf(i)...)
	}
	for _, box := range namedBoxes() {
		user(box)
	}
	return b.String()
}

// startServer starts a program that does all its work in one process.
func startServer(s site, socket string, cmd *exec.Cmd) (subject, error) {
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = asMailUser()
	}
	server := &server{socket: socket}
	err := s.launch(func() {
		server.process = peer.Start(s, cmd)
		peer.AwaitListener(s, server.process, "unix", socket)
	})
	return server, err
}
