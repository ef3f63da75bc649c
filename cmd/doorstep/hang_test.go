package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"golang.org/x/sys/unix"
)

// hanging is a configuration in which alice's first message is worth a warning, by a program that neither
// ends nor obeys SIGTERM, nor does its child. Both hold the pipe "started" open.
func hanging(tb testing.TB, dir, more string) string {
	tb.Helper()
	if err := unix.Mkfifo(filepath.Join(dir, "started"), 0o600); err != nil {
		tb.Fatal(err)
	}
	script := fmt.Sprintf("trap '' TERM HUP INT; exec 3>%s; (while :; do sleep 1000; done) & echo ready >&3; while :; "+
		"do sleep 1000; done", filepath.Join(dir, "started"))
	c := controlled(adminConfig + more +
		"\n[quota]\nwarn_at = [\"50%\"]\nwarn_timeout = \"10m\"\nwarn_command = [\"/bin/sh\", \"-c\", \"" + script + "\"]\n")
	return strings.Replace(c, `address = "alice@example.org"`, "address = \"alice@example.org\"\nquota_messages = 2", 1)
}

// started waits for the program, and returns what ends when it and its children have.
func started(tb testing.TB, dir string) io.Reader {
	tb.Helper()
	pipe, err := os.Open(filepath.Join(dir, "started"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { pipe.Close() })
	if _, err := io.ReadFull(pipe, make([]byte, len("ready\n"))); err != nil {
		tb.Fatal(err)
	}
	if err := pipe.SetReadDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return pipe
}

// wantStop wants the server to greet nobody from the signal on, and to end within what a service manager grants.
func wantStop(t *testing.T, s *server, dir string) {
	t.Helper()
	begun := time.Now()
	s.signal(t, syscall.SIGTERM)
	s.awaitLog(t, "msg=stopping")
	if conn, err := net.Dial("unix", filepath.Join(dir, "lmtp")); err == nil {
		conn.Close()
		t.Error("connections are taken after SIGTERM")
	}
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if took := time.Since(begun); took > daemon.Grace {
		t.Errorf("stopped after %s", took)
	}
}

// TestWarningHangsAfterReload: a warning that hangs belongs to a configuration that is no longer in force. Nothing
// waits for it: readyz, status, another reload, and the stop, which ends it with its children.
func TestWarningHangsAfterReload(t *testing.T) {
	dir := place(t)
	configuration := hanging(t, dir, "")
	s := serveConfig(t, dir, configuration)
	s.awaitLog(t, "admin listener")
	before := session(t, dir)
	before.deliver("half of what there is room for", "alice")
	program := started(t, dir)
	rewrite(t, dir, strings.Replace(configuration, "mail.example.org", "mx.example.org", 1))
	if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
		t.Fatal(out, errs)
	}
	before.say("QUIT", "221 ")
	before.wantEnd() // from now on the earlier configuration is being given back
	for range 3 {
		if code, body := ask(t, dir, "/readyz"); code != 200 {
			t.Error(code, body)
		}
		if out, code := invoke(t, dir, "status", "-c", "doorstep.toml"); code != 0 {
			t.Error(code, out)
		}
		if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
			t.Error(out, errs)
		}
	}
	session(t, dir).deliver("meanwhile", "bob")
	wantStop(t, s, dir)
	s.awaitLogged(t, `level=ERROR msg="quota warning not passed on" mailbox=alice@example.org`, "the server stops")
	if rest, err := io.ReadAll(program); err != nil || len(rest) > 0 {
		t.Errorf("the program or its child lives on: %q, %v", rest, err)
	}
}

// TestWarningHangsAtStop: with a program and a web server that never answer, no longer than the grace.
func TestWarningHangsAtStop(t *testing.T) {
	t.Run("program", func(t *testing.T) {
		dir := place(t)
		s := serveConfig(t, dir, hanging(t, dir, ""))
		session(t, dir).deliver("half of what there is room for", "alice")
		program := started(t, dir)
		wantStop(t, s, dir)
		if _, err := io.ReadAll(program); err != nil {
			t.Errorf("the program or its child lives on: %v", err)
		}
	})
	t.Run("url", func(t *testing.T) {
		web, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer web.Close()
		dir := place(t)
		c := plainConfig("[quota]\nwarn_at = [\"50%\"]\nwarn_timeout = \"10m\"\nwarn_url = \"http://" + web.Addr().String() +
			"/\"\n")
		s := serveConfig(t, dir, strings.Replace(c, `address = "alice@example.org"`,
			"address = \"alice@example.org\"\nquota_messages = 2", 1))
		session(t, dir).deliver("half of what there is room for", "alice")
		conn, err := web.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		wantStop(t, s, dir)
		s.awaitLogged(t, "quota warning not passed on", "way=url", "the server stops")
	})
}

// awaitLogged wants one line of the log of a server that has ended to have all these parts.
func (s *server) awaitLogged(tb testing.TB, parts ...string) {
	tb.Helper()
lines:
	for line := range strings.Lines(s.log.String()) {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				continue lines
			}
		}
		return
	}
	tb.Errorf("no line of the log has %q", parts)
}

// TestReloadHangs: a configuration on a file system that does not answer, here a pipe with no writer. Other orders
// are refused, mail flows, and the server stops.
func TestReloadHangs(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, controlled(adminConfig))
	s.awaitLog(t, "admin listener")
	part := filepath.Join(dir, "doorstep.toml")
	if err := os.Remove(part); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(part, 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGHUP)
	opened := make(chan error, 1)
	var silent *os.File
	go func() {
		var err error
		silent, err = os.OpenFile(part, os.O_WRONLY, 0) // waits until the server reads
		opened <- err
	}()
	select {
	case err := <-opened:
		if err != nil {
			t.Fatal(err)
		}
	case <-s.exited:
		t.Fatal("the server ended at SIGHUP")
	}
	defer silent.Close()
	for _, order := range []string{"reload", "upgrade"} {
		if _, errs, code := doorstep(t, dir, order, "--socket", "control"); code == 0 ||
			!strings.Contains(errs, "another reload or upgrade is under way") {
			t.Errorf("%s: %s, exit status %d", order, errs, code)
		}
	}
	if code, body := ask(t, dir, "/readyz"); code != 200 {
		t.Error(code, body)
	}
	session(t, dir).deliver("meanwhile", "bob")
	wantStop(t, s, dir)
}
