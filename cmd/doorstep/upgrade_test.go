package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
)

// upgraded lets a new process take over, and returns a way to wait until it has ended after a signal.
func upgraded(t *testing.T, dir string) (pid int) {
	t.Helper()
	out, errs, code := doorstep(t, dir, "upgrade", "-c", "doorstep.toml", "--json")
	var r daemon.UpgradeReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.New == 0 || r.New == r.Old {
		t.Fatalf("%q, %q, %v, exit status %d", out, errs, err, code)
	}
	t.Cleanup(func() { _ = syscall.Kill(r.New, syscall.SIGKILL) })
	return r.New
}

// TestUpgrade: a new process takes over the sockets, sessions of the old one go on, and it ends with
// the last of them.
func TestUpgrade(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, controlled(""))
	old := session(t, dir)
	old.begin("alice")
	old.send("Subject: over the upgrade\r\n\r\nHello\r\n")

	rewrite(t, dir, controlled("")+"\n[[user]]\naddress = \"newcomer@example.org\"\n")
	pid := upgraded(t, dir)
	session(t, dir).deliver("in the new process", "newcomer")
	old.send(lastLine + "\r\n.\r\n")
	old.want("250 2.0.0 ")
	old.deliver("in the old process", "bob")
	old.say("RCPT TO:<newcomer@example.org>", "503 5.5.1")
	old.say("QUIT", "221 2.0.0")
	old.wantEnd()
	s.awaitLog(t, "msg=stopped pid="+strconv.Itoa(s.cmd.Process.Pid))
	session(t, dir).deliver("the socket is still there", "alice")
	wantStored(t, dir, "alice", "over the upgrade", "the socket is still there")
	wantStored(t, dir, "newcomer", "in the new process")
	wantStored(t, dir, "bob", "in the old process")

	// A configuration that is wrong keeps the process that runs.
	rewrite(t, dir, controlled("wrong = true"))
	_, errs, code := doorstep(t, dir, "upgrade", "--socket", "control")
	if code != cli.ExitFailure || !strings.Contains(errs, "the old process goes on") ||
		!strings.Contains(errs, "cannot be used") || !strings.Contains(errs, "hint: ") {
		t.Errorf("%q, exit status %d", errs, code)
	}
	session(t, dir).deliver("as before", "bob")

	// The new process cleans up after itself as the old one would have.
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, pid)
	wantGone(t, filepath.Join(dir, "lmtp"))
	wantGone(t, filepath.Join(dir, "control"))
}

// TestStopWhileUpgrading: who ends the server while a new process starts, which takes its time here to read the
// configuration, ends that too.
func TestStopWhileUpgrading(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, controlled(""))
	configuration := filepath.Join(dir, "doorstep.toml")
	if err := os.Remove(configuration); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(configuration, 0o600); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGUSR2)
	opened, err := os.OpenFile(configuration, os.O_WRONLY, 0) // when the new process has opened it
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != cli.ExitOK {
		t.Errorf("exit status %d", code)
	}
	if _, err := opened.WriteString("# somebody reads\n"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("the new process reads on: %v", err)
	}
}

// awaitEnd waits until a process that is not ours has ended.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(patience)
	for p.Signal(syscall.Signal(0)) == nil {
		if zombie(pid) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %d does not end", pid)
		}
	}
}

// zombie reports whether a process has ended, and waits for the process that takes care of orphans here.
func zombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
