package crash

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestTransientError is R5: the disk refuses the octets of one copy for a moment. The kernel
// reports that to one sync alone, and a second would say that all is well; the recipient is told
// 451, the others 250, and nothing of the copy is to be seen.
func TestTransientError(t *testing.T) {
	for _, kind := range fileSystems(t) {
		t.Run("LMTP-08 "+kind.Name, func(t *testing.T) {
			v := powercut.New(t, kind)
			s := openSite(t, filepath.Join(v.Dir, "mail"), "")
			p := s.start(t)
			all := []int{250, 250, 250}
			if codes := one(t, s, large(0), 0, 1, 2); !slices.Equal(codes, all) {
				t.Fatalf("replies %v", codes)
			}
			marker := []byte("Delivered-To: " + address(1) + "\n")
			v.Disk.Refuse(func(p []byte) bool { return bytes.Contains(p, marker) })
			if codes := one(t, s, large(1), 0, 1, 2); !slices.Equal(codes, []int{250, 451, 250}) {
				t.Errorf("replies %v", codes)
			}
			if v.Disk.Refuse(nil) == 0 {
				t.Error("the disk has refused nothing")
			}
			if codes := one(t, s, large(2), 0, 1, 2); !slices.Equal(codes, all) {
				t.Errorf("afterwards the replies are %v", codes)
			}
			v.MountAgain(t) // the page cache would hide what the disk lacks
			acked := map[copyID]bool{}
			for n := range 3 {
				for user := range 3 {
					if n != 1 || user != 1 {
						acked[copyID{large(n), user}] = true
					}
				}
			}
			f := look(t, s.store)
			judge(t, kind.Name, acked, f)
			if f.whole[copyID{large(1), 1}] > 0 {
				t.Error("the copy that was refused is there")
			}
			stop(t, p)
		})
	}
}

// large is the n-th message that is too large for a file system to keep it elsewhere than in
// blocks of its own, as btrfs does with small files.
func large(n int) messageID {
	for id := (messageID{session: 1000 + n}); ; id.n++ {
		if size := len(id.text()); 5000 < size && size < 8000 {
			return id
		}
	}
}

// TestDiskGoesAway takes the disk away under load: every write fails, and the file system stops
// or becomes read-only. Everybody gets 4xx, the server lives, and when the disk is back and
// mounted again it takes mail without having been started again. What it had acknowledged is
// there.
func TestDiskGoesAway(t *testing.T) {
	for _, kind := range fileSystems(t) {
		t.Run(kind.Name, func(t *testing.T) {
			v := powercut.New(t, kind)
			s := openSite(t, filepath.Join(v.Dir, "mail"), "")
			p := s.start(t)
			l := newLoad(s)
			enough := make(chan struct{})
			l.told = func(acks int) {
				if acks == 200 {
					close(enough)
				}
			}
			l.run(t, 0, 64)
			await(t, enough, "two hundred deliveries")
			v.Disk.Refuse(func([]byte) bool { return true })
			for range 5 { // each its own way through what is left of the file system
				if codes := one(t, s, messageID{-1, 0}, 0, 1, 2); slices.ContainsFunc(codes,
					func(c int) bool { return c/100 != 4 }) {
					t.Errorf("without disk the replies are %v", codes)
				}
			}
			l.stop()
			l.onlyTemporary(t)
			if len(l.broken) > 0 {
				t.Errorf("sessions broke: %.3v", l.broken)
			}
			v.Disk.Refuse(nil)
			v.MountAgain(t)
			judge(t, kind.Name, l.acked, look(t, s.store))
			if codes := one(t, s, messageID{-1, 1}, 0, 1, 2); !slices.Equal(codes, []int{250, 250, 250}) {
				t.Errorf("with the disk back the replies are %v", codes)
			}
			stop(t, p)
		})
	}
}

// TestReadOnly: while a file system is read-only its recipients get 4xx.
func TestReadOnly(t *testing.T) {
	powercut.Need(t, powercut.Ext4)
	if !powercut.Alone(t) {
		return
	}
	v := powercut.New(t, powercut.Ext4)
	s := openSite(t, filepath.Join(v.Dir, "mail"), "")
	p := s.start(t)
	for i, step := range []struct {
		options string
		want    int
	}{{"rw", 250}, {"ro", 451}, {"rw", 250}} {
		v.Remount(t, step.options)
		if codes := one(t, s, messageID{0, i}, 0, 1); !slices.Equal(codes, []int{step.want, step.want}) {
			t.Errorf("%s: replies %v", step.options, codes)
		}
		// A Maildir that is new to the server, and one that it has to make.
		if codes := one(t, s, messageID{1, i}, 10+i); !slices.Equal(codes, []int{step.want}) {
			t.Errorf("%s: replies %v for a new Maildir", step.options, codes)
		}
	}
	if f := look(t, s.store); len(f.torn) > 0 || len(f.whole) != 6 {
		t.Errorf("there are %d messages, torn: %q", len(f.whole), f.torn)
	}
	stop(t, p)
}

// fileSystems are ext4, or all of them in a long run; none where the test is to run in another
// process, alone.
func fileSystems(t *testing.T) []powercut.FileSystem {
	t.Helper()
	kinds := []powercut.FileSystem{powercut.Ext4}
	if long {
		kinds = powercut.FileSystems
	}
	powercut.Need(t, kinds...)
	if !powercut.Alone(t) {
		return nil
	}
	return kinds
}

func await(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited too long for %s", what)
	}
}
