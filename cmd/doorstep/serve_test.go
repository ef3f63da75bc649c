package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/daemon"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestDev is the first minute of a newcomer: an empty directory, one command, and mail arrives by
// all three ways that it tells of.
func TestDev(t *testing.T) {
	if !powercut.AloneOnNetwork(t) { // its ports are fixed, and a user may try --dev on this machine
		return
	}
	dir := peer.Dir(t)
	s, err := launch(dir, "serve", "--dev")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	if err := s.out.await("Doorstep is ready."); err != nil {
		t.Fatal(err)
	}
	if err := s.out.await("Ctrl-C stops."); err != nil {
		t.Fatal(err)
	}
	dev := filepath.Join(dir, "doorstep-dev")
	for target, protocol := range map[string]client.Protocol{
		"unix:" + dev + "/lmtp.sock": client.LMTP,
		"tcp:127.0.0.1:2424":         client.LMTP,
		"tcp:127.0.0.1:2525":         client.ESMTP,
	} {
		if r := sendTo(t, target, protocol, target); !r.Recipients[0].Delivered() {
			t.Errorf("%s: %+v", target, r.Recipients[0])
		}
	}
	wantStored(t, dev, "alice", "unix:"+dev+"/lmtp.sock", "tcp:127.0.0.1:2424", "tcp:127.0.0.1:2525")
	for path, want := range map[string]fs.FileMode{"mail": 0o700 | fs.ModeDir, "lmtp.sock": 0o600 | fs.ModeSocket} {
		if info, err := os.Stat(filepath.Join(dev, path)); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	s.signal(t, syscall.SIGINT) // as Ctrl-C
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d\n%s", code, s.log.String())
	}

	// What a user changed in its configuration stays.
	path := filepath.Join(dev, "doorstep.toml")
	changed := strings.Replace(daemon.DevConfig, "127.0.0.1:2424", "127.0.0.1:"+peer.FreePort(t), 1)
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err = launch(dir, "serve", "--dev")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	if err := s.out.await("Doorstep is ready."); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != changed {
		t.Errorf("the configuration was written over: %v", err)
	}
	wantStored(t, dev, "alice", "unix:"+dev+"/lmtp.sock", "tcp:127.0.0.1:2424", "tcp:127.0.0.1:2525")
}

// TestStopFinishesDeliveries: at SIGTERM a delivery in the middle of its data is finished and
// answered, sessions that wait get a reply, and nothing of the server is left.
func TestStopFinishesDeliveries(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(""))
	idle, fresh, busy := session(t, dir), dial(t, dir), session(t, dir)
	fresh.want("220 ")
	busy.begin("alice", "bob")
	busy.send("Subject: in the middle\r\n\r\nHello\r\n")

	s.signal(t, syscall.SIGTERM)
	s.awaitLog(t, "msg=stopping")
	idle.want("421 4.3.2 ")
	idle.wantEnd()
	fresh.want("421 4.3.2 ")
	fresh.wantEnd()
	busy.send(lastLine + "\r\n.\r\n")
	busy.want("250 2.0.0 ")
	busy.want("250 2.0.0 ")
	busy.want("421 4.3.2 ")
	busy.wantEnd()

	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	wantGone(t, filepath.Join(dir, "lmtp"))
	wantStored(t, dir, "alice", "in the middle")
	wantStored(t, dir, "bob", "in the middle")
	if !strings.Contains(s.log.String(), "msg=stopped") {
		t.Error("the log does not say that it stopped")
	}
}

// TestSecondSignalEndsAtOnce: who does not want to wait does not have to.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(""))
	busy := session(t, dir)
	busy.begin("alice")
	busy.send("Subject: never finished\r\n\r\nHello\r\n")
	s.signal(t, syscall.SIGTERM)
	s.awaitLog(t, "msg=stopping")
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != -1 {
		t.Errorf("exit status %d, want an end by the signal", code)
	}
	if got := visible(t, dir, "alice"); len(got) > 0 {
		t.Errorf("visible: %q", got)
	}
}

// TestLogReaderGone: mail is delivered though nobody reads the log any more.
func TestLogReaderGone(t *testing.T) {
	dir := place(t)
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(plainConfig("")), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, cmd: exec.Command("doorstep", "serve", "-c", "doorstep.toml")}
	s.cmd.Stderr = w
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	for lines := bufio.NewScanner(r); !strings.Contains(lines.Text(), "msg=listening"); {
		if !lines.Scan() {
			t.Fatal("the log ends:", lines.Err())
		}
	}
	if err := errors.Join(r.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	d := session(t, dir)
	d.deliver("one", "alice")
	d.deliver("two", "alice")
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	wantStored(t, dir, "alice", "one", "two")
}

func wantGone(tb testing.TB, path string) {
	tb.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		tb.Errorf("%s is still there: %v", path, err)
	}
}
