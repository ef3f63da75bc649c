package mailbox

import (
	"context"
	"errors"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

const leftName = "1795456214.M1P2Q3R0123456789abcdef.other"

// leave leaves a file in a tmp/, as old as one must be.
func leave(t *testing.T, maildir string, age time.Duration) (path string) {
	t.Helper()
	path = filepath.Join(maildir, "tmp", leftName)
	then := time.Now().Add(-age)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600),
		os.Chtimes(path, then, then)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A mailbox is swept with its folders, and through no symbolic link (MDIR-06).
func TestSweepFolders(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u"}
	s := open(t, Options{Create: true}, kernel.Linux{})
	send(t, s, "x\r\n", to)
	inbox, folder, elsewhere := leave(t, to.String(), 48*time.Hour), leave(t, to.String()+"/.Sent",
		48*time.Hour), leave(t, t.TempDir(), 48*time.Hour)
	if err := os.Symlink(filepath.Dir(filepath.Dir(elsewhere)), to.String()+"/.Trap"); err != nil {
		t.Fatal(err)
	}
	if removed, err := s.Sweep(t.Context(), to, 0); removed != 2 || err != nil {
		t.Errorf("%d removed, %v; want 2", removed, err)
	}
	for path, want := range map[string]bool{inbox: false, folder: false, elsewhere: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v", path, err)
		}
	}
}

// The sweeper looks after the Maildirs that mail comes for, once at first and once a day, and stops
// when it is told to (MDIR-06).
func TestRunSweeper(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u", Quota: Quota{Messages: 5}}
	idle := Dest{Root: to.Root, Path: "idle"}
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{Create: true}, kernel.Linux{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		told := make(chan int)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			s.RunSweeper(ctx, func(of Dest, removed int, err error) {
				if of.Path != to.Path || err != nil {
					t.Errorf("swept %s: %v", of, err)
				}
				told <- removed
			})
		}()
		first, other := leave(t, to.String(), 48*time.Hour), leave(t, idle.String(), 48*time.Hour)
		for range 2 { // the second is no first one
			if err := send(t, s, "x\r\n", to)[0]; err != nil {
				t.Fatal(err)
			}
		}
		if n := <-told; n != 1 {
			t.Errorf("%d removed at first, want 1", n)
		}
		if _, err := os.Stat(first); err == nil {
			t.Error("what was left behind is there after the first delivery")
		}
		left := leave(t, to.String(), 48*time.Hour)
		begun := time.Now()
		if n := <-told; n != 1 || time.Since(begun) < 12*time.Hour {
			t.Errorf("%d removed after %v, want 1 after a day", n, time.Since(begun))
		}
		if _, err := os.Stat(left); err == nil {
			t.Error("what was left behind is there")
		}
		if _, err := os.Stat(other); err != nil {
			t.Error("a Maildir without mail was swept")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
}
