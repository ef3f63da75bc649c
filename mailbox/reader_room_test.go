package mailbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/quota"
)

// A reader that does not keep maildirsize makes room in a full mailbox: by the next look mail has it, without a wait
// for the count to grow old. Nothing is counted anew where nothing has changed, however much mail is refused.
func TestReaderMakesRoom(t *testing.T) {
	for what, change := range map[string]func(home string) error{
		"in new/":     func(home string) error { return os.Remove(filepath.Join(home, "new/1.a,S=10")) },
		"in cur/":     func(home string) error { return os.Remove(filepath.Join(home, "cur/2.b,S=10:2,S")) },
		"in a folder": func(home string) error { return os.Remove(filepath.Join(home, ".Sent/cur/3.c,S=10:2,S")) },
		"moved to Trash": func(home string) error {
			return os.Rename(home+"/new/1.a,S=10", home+"/.Trash/cur/1.a,S=10:2,")
		},
		"a folder removed": func(home string) error { return os.RemoveAll(filepath.Join(home, ".Sent")) },
		"nothing":          nil,
	} {
		t.Run(what, func(t *testing.T) {
			sys := newProbe()
			s := open(t, Options{}, sys)
			d := Dest{Root: scratch(t), Path: "u", Quota: Quota{Bytes: 30}}
			for _, name := range []string{
				"new/1.a,S=10", "cur/2.b,S=10:2,S", ".Sent/cur/3.c,S=10:2,S", ".Trash/cur/4.d,S=10:2,S",
			} {
				put(t, d, name, 10)
			}
			refused := func(when string) {
				t.Helper()
				if err := s.Room(t.Context(), Copy{To: d}, 5); !errors.Is(err, ErrOverQuota) {
					t.Errorf("%s, asked for room: %v, want ErrOverQuota", when, err)
				}
				if err := send(t, s, "x\r\n", d)[0]; !errors.Is(err, ErrOverQuota) {
					t.Errorf("%s, sent: %v, want ErrOverQuota", when, err)
				}
			}
			refused("full")
			ageTree(t, d.String(), 20*time.Second)
			counted := time.Now().Add(-10 * time.Second)
			if err := os.Chtimes(filepath.Join(d.String(), quota.FileName), counted, counted); err != nil {
				t.Fatal(err)
			}
			later := time.Now().Add(time.Minute)
			sys.clock = func() time.Time { return later }
			sys.take()
			for range 20 {
				refused("full and unchanged")
			}
			if looks, counts := looksAndCounts(sys.take(), d); looks != 1 || counts != 0 {
				t.Errorf("40 messages were refused with %d looks and %d counts", looks, counts)
			}
			if change == nil {
				return
			}
			if err := change(d.String()); err != nil {
				t.Fatal(err)
			}
			refused("a moment after the last look")
			later = later.Add(3 * time.Second)
			if err := s.Room(t.Context(), Copy{To: d}, 5); err != nil {
				t.Errorf("with room again: %v", err)
			}
			if err := send(t, s, "x\r\n", d)[0]; err != nil {
				t.Errorf("with room again: %v", err)
			}
			checkTally(t, d, "at the end")
		})
	}
}

// ageTree makes all directories below a path look as if nothing had changed there for a while.
func ageTree(t *testing.T, path string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	err := filepath.WalkDir(path, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chtimes(path, then, then)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// looksAndCounts tells from system calls how often a mailbox was looked at, and how often its messages were listed.
func looksAndCounts(calls []call, d Dest) (looks, counts int) {
	for _, c := range calls {
		switch {
		case c.name == "readNames" && strings.HasSuffix(c.path, "/cur"):
			counts++
		case c.name == "readNames":
			looks++ // at which folders there are
		}
	}
	return looks, counts
}
