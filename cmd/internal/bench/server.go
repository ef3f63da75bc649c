package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/loadtest"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A subject is a contender that runs.
type subject interface {
	// run puts a load of a number of messages on it, and measures.
	run(ctx context.Context, l Load, messages int) (sample, error)
	// look is run for latencies and memory: it disturbs, and has rounds of its own.
	look(ctx context.Context, l Load, messages int) (detail, error)
}

// A sample is one round.
type sample struct {
	took time.Duration
	cpu  time.Duration // of the contender alone, in and outside the kernel
	load time.Duration // processor time of the load generator, which has the same processors
}

// A detail is what the round of the details measures.
type detail struct {
	p50, p99 float64 // milliseconds that one message takes, from MAIL to its last reply
	memory   int64   // peak, in octets
}

// A server is a subject that listens on a Unix socket.
type server struct {
	process        *peer.Process
	socket, client string
}

// startServer starts a program that does all its work in one process.
func startServer(s site, socket string, cmd *exec.Cmd) (subject, error) {
	server := &server{socket: socket, client: s.client}
	err := s.launch(func() {
		server.process = peer.Start(s, cmd)
		peer.AwaitListener(s, server.process, "unix", socket)
	})
	return server, err
}

// patience bounds one run of a load; a disk that needs more is not for this.
const patience = 10 * time.Minute

// run puts smtp-source on it, of which a thousand mailboxes have addresses for 10,000 messages at a time. It writes
// one message at a time, whatever its sessions, so that long messages come from "doorstep send".
func (s *server) run(ctx context.Context, l Load, messages int) (sample, error) {
	before, err := sessionCPU(s.process.Pid())
	if err != nil {
		return sample{}, err
	}
	var m sample
	begin := time.Now()
	for left := messages; left > 0 && err == nil; {
		now := left
		var used time.Duration
		if l.Size >= mib {
			_, used, err = s.send(ctx, l, now)
		} else {
			now = min(left, mailboxes*aliases/l.Recipients)
			used, err = s.source(ctx, l, now)
		}
		m.load += used
		left -= now
	}
	m.took = time.Since(begin)
	after, failed := sessionCPU(s.process.Pid())
	m.cpu = after - before
	return m, errors.Join(err, failed)
}

// source runs smtp-source once, and returns the processor time that it used. With -d a session keeps its connection,
// and -N counts up the addresses.
func (s *server) source(ctx context.Context, l Load, messages int) (time.Duration, error) {
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
	program := "smtp-source"
	if path, err := exec.LookPath("/usr/sbin/smtp-source"); err == nil { // where Debian's package postfix has it
		program = path
	}
	_, used, err := s.load(ctx, nil, program, append(args, "unix:"+s.socket)...)
	return used, err
}

// send runs "doorstep send" once. A message to one recipient goes to all mailboxes in turn, one to many to the same
// ones each time, as a list's does.
func (s *server) send(ctx context.Context, l Load, messages int) (r loadtest.Report, used time.Duration, err error) {
	args := []string{"send", "--json", "--server", "unix:" + s.socket, "--hello", "client.example",
		"--from", "sender@client.example", "--count", strconv.Itoa(messages), "--sessions", strconv.Itoa(l.Sessions)}
	switch {
	case l.Box != "":
		args = append(args, "--to", l.Box+"@"+domain)
	default:
		to := l.Recipients
		if to == 1 {
			args, to = append(args, "--spread"), mailboxes
		}
		for n := range to {
			args = append(args, "--to", fmt.Sprintf("%du@%s", n+1, domain))
		}
	}
	out, used, err := s.load(ctx, body(l.Size), s.client, append(args, "-")...)
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	return r, used, err
}

// body is a message like those of smtp-source.
func body(size int) []byte {
	return []byte("From: <sender@client.example>\r\nTo: <u@" + domain + ">\r\nSubject: from bench\r\n\r\n" +
		strings.Repeat(strings.Repeat("X", 78)+"\r\n", size/80))
}

// load runs a client, and returns what it printed and the processor time that it used.
func (s *server) load(ctx context.Context, input []byte, program string, args ...string) (out []byte,
	used time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &complaints
	out, err = cmd.Output()
	if cmd.ProcessState == nil {
		return nil, 0, err
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(s.process.Output()), "\n")
		err = fmt.Errorf("%s: %w: %s%s\nthe server: %s", program, err, out, complaints.Bytes(),
			strings.Join(lines[max(0, len(lines)-5):], "\n"))
	}
	return out, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// look puts "doorstep send" on it, which takes the time of each message, and watches the memory meanwhile.
func (s *server) look(ctx context.Context, l Load, messages int) (detail, error) {
	peak := watchMemory(s.process.Pid())
	r, _, err := s.send(ctx, l, messages)
	return detail{p50: r.Latency["p50"], p99: r.Latency["p99"], memory: peak()}, err
}

// idleMemory is the memory without connections, and with a number of them that say hello and nothing more.
func (s *server) idleMemory(ctx context.Context, connections int) (before, with int64, err error) {
	if before, err = s.steadyMemory(ctx); err != nil {
		return 0, 0, err
	}
	for n := range connections {
		c, err := client.Dial(ctx, "unix:"+s.socket, client.Options{Hello: "client.example", Timeout: time.Minute})
		if err != nil {
			return 0, 0, fmt.Errorf("after %d connections: %w", n, err)
		}
		defer c.Close()
	}
	with, err = s.steadyMemory(ctx)
	return before, with, err
}

// steadyMemory waits a while for the memory to settle: what reading its configuration took, a server gives back at
// leisure.
func (s *server) steadyMemory(ctx context.Context) (now int64, err error) {
	for range 20 {
		last := now
		if now, err = sessionMemory(s.process.Pid()); err != nil || last > 0 && now >= last-last/200 {
			break
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return now, err
}
