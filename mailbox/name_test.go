package mailbox

import (
	"errors"
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestClockSetBack is R13: the clock goes back by a minute, by an hour, and to 1970, also to moments
// that it has shown before.
func TestClockSetBack(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u"}
	begun := time.Unix(1795456214, 0)
	now := begun
	for range 3 { // restarts
		sys := newProbe()
		sys.clock = func() time.Time { return now }
		s := open(t, Options{Create: true}, sys)
		for _, back := range []time.Duration{time.Minute, time.Hour, 0, time.Since(time.Unix(0, 0))} {
			for range 5 {
				if err := send(t, s, "x\r\n", to)[0]; err != nil {
					t.Fatal(err)
				}
				now = now.Add(-back)
				if now.Unix() < 0 {
					now = time.Unix(0, 0)
				}
			}
			now = begun
		}
	}
	if n := len(in(t, to.String(), "new")); n != 60 {
		t.Errorf("MDIR-02: %d messages, want 60", n)
	}
}

// A name that is taken is left alone, in tmp/ and in new/ (MDIR-03).
func TestNameTaken(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u"}
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	if err := send(t, s, "first\r\n", to)[0]; err != nil {
		t.Fatal(err)
	}
	taken := make(map[string]string)
	sys.before = func(_ int, c call) error {
		file := strings.HasSuffix(c.path, ".h") && c.name == "openat" || c.name == "rename"
		if _, done := taken[c.name]; file && !done {
			taken[c.name] = c.path
			return os.WriteFile(c.path, []byte("theirs\n"), 0o600)
		}
		return nil
	}
	if err := send(t, s, "ours\r\n", to)[0]; err != nil {
		t.Fatal(err)
	}
	if len(taken) != 2 {
		t.Fatalf("taken %q", taken)
	}
	for _, path := range taken {
		if b, err := os.ReadFile(path); err != nil || string(b) != "theirs\n" {
			t.Errorf("%s: %q %v", filepath.Base(path), b, err)
		}
	}
	if got := strings.Join(mails(t, to), ""); strings.Count(got, "ours\n") != 1 {
		t.Errorf("new/ has %q", got)
	}

	// Every name taken, and our file gone from tmp/: an error, and what is there stays.
	before := len(mails(t, to))
	sys.before = func(_ int, c call) error {
		if c.name != "rename" {
			return nil
		}
		tmp := filepath.Join(to.String(), "tmp")
		for _, name := range in(t, tmp) {
			os.Remove(filepath.Join(tmp, name))
		}
		return errors.Join(os.WriteFile(c.path, []byte("theirs\n"), 0o600), unix.EEXIST)
	}
	if err := send(t, s, "never\r\n", to)[0]; err == nil {
		t.Error("stored without a name")
	}
	if after := len(mails(t, to)); after != before+durable.NameTries {
		t.Errorf("new/ had %d files and got %d, has %d", before, durable.NameTries, after)
	}
}

// A rename that reports an error and has happened, as over the network, is taken back too.
func TestRenameLies(t *testing.T) {
	to := Dest{Root: scratch(t), Path: "u"}
	sys := newProbe()
	sys.before = func(_ int, c call) error {
		if c.name != "rename" {
			return nil
		}
		tmp := filepath.Join(to.String(), "tmp")
		return errors.Join(os.Rename(filepath.Join(tmp, in(t, tmp)[0]), c.path), unix.EIO)
	}
	if err := send(t, open(t, Options{Create: true}, sys), "x\r\n", to)[0]; !errors.Is(err, unix.EIO) {
		t.Errorf("%v, want EIO", err)
	}
	if left := append(in(t, to.String(), "new"), in(t, to.String(), "tmp")...); left != nil {
		t.Errorf("MDIR-14: left %q", left)
	}
}
