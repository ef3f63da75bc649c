package state_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

func TestMain(m *testing.M) {
	if powercut.ServeLoopback() {
		return
	}
	os.Exit(m.Run())
}

// TestHangs stops the program behind a file system of FUSE: every question ends in time, at once when it is known, the
// rest of the program goes on, and all is as before when the file system answers again.
func TestHangs(t *testing.T) {
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	on := powercut.NewLoopback(t)
	s := open(t, state.Options{Path: filepath.Join(on.Dir, "state.db")})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a")}))
	on.Stop(t)
	ask := func(patience time.Duration) (time.Duration, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		began := time.Now()
		_, err := s.Recall(ctx, state.KeyOf("m"))
		return time.Since(began), err
	}
	if took, err := ask(time.Second); !errors.Is(err, breaker.ErrHangs) || took > 5*time.Second {
		t.Errorf("the first answer is %v, after %v", err, took)
	}
	if s.Keeps() {
		t.Error("it keeps what is asked of it")
	}
	runtime.GC() // which waits for all threads that run
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := s.Remember(ctx, []state.Mark{mark("m", "b")}); err == nil {
		t.Error("something is remembered")
	}
	if _, err := ask(time.Minute); !errors.Is(err, breaker.ErrHangs) { // until a probe hangs too
		t.Errorf("answer %v", err)
	}
	if took, err := ask(time.Minute); !errors.Is(err, breaker.ErrHangs) || took > 3*time.Second {
		t.Errorf("when it is known the answer is %v, after %v", err, took)
	}
	on.Continue(t)
	run, end := context.WithCancel(t.Context())
	defer end()
	go s.Run(run)
	for !s.Keeps() {
		time.Sleep(time.Millisecond)
	}
	if !recalled(t, s, mark("m", "a")) {
		t.Error("what was remembered is lost")
	}
}

// TestFullDisk: what cannot be written is not remembered, and what was remembered stays.
func TestFullDisk(t *testing.T) {
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"))
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	s := open(t, state.Options{Path: filepath.Join(dir, "state.db")})
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "a")}))
	rest := filepath.Join(dir, "rest")
	if err := os.WriteFile(rest, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
	if err := s.Remember(t.Context(), []state.Mark{mark("m", "b")}); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("error %v", err)
	}
	if s.Keeps() {
		t.Error("it keeps what is asked of it")
	}
	if !recalled(t, s, mark("m", "a")) {
		t.Error("what was remembered is lost")
	}
	must(t, os.Remove(rest))
	must(t, s.Remember(t.Context(), []state.Mark{mark("m", "b")}))
	if !s.Keeps() || !recalled(t, s, mark("m", "b")) {
		t.Error("it does not work again")
	}
}
