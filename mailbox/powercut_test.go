package mailbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// What ext4 offers for tests of itself: stop at once, without writing the journal out.
const (
	ext4Shutdown   = 0x8004587d // _IOR('X', 125, __u32)
	withoutFlushes = 2
)

// The power fails on a real file system while many deliver. What was reported is there,
// whole, below directories that were made a moment before; nothing in new/ is less than whole.
// The same cut takes mail from a Store without syncs, or this test would prove nothing.
func TestPowerCut(t *testing.T) {
	powercut.Need(t, powercut.Ext4)
	if !powercut.Alone(t) {
		return
	}
	for _, tt := range []struct {
		durability Durability
		loses      bool
	}{{Group, false}, {Each, false}, {Group, false}, {None, true}} {
		t.Run("LMTP-07 "+tt.durability.String(), func(t *testing.T) {
			disk := newLoopDisk(t)
			acked := deliverUntilCut(t, disk, tt.durability)
			disk.unmount(t)
			disk.mount(t)

			lost := 0
			for path, want := range acked {
				if b, err := os.ReadFile(path); err != nil || string(b) != want {
					lost++
				}
			}
			t.Logf("%d reported, %d lost", len(acked), lost)
			if (lost > 0) != tt.loses {
				t.Errorf("%d of %d reported messages are lost", lost, len(acked))
			}
			files, err := filepath.Glob(filepath.Join(disk.dir, "*/*/new/*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range files {
				b, err := os.ReadFile(path)
				if whole := err == nil && strings.HasSuffix(string(b), "end\n"); !whole && !tt.loses {
					t.Errorf("%s: %d octets, %v", filepath.Base(path), len(b), err)
				}
			}
		})
	}
}

// deliverUntilCut delivers from 16 sessions into old and new Maildirs, cuts the power after some
// reports, and returns the path and the octets of each file that was reported as stored.
func deliverUntilCut(t *testing.T, disk *loopDisk, durability Durability) map[string]string {
	s, err := New(Options{Create: true, Durability: durability})
	if err != nil {
		t.Fatal(err)
	}
	cutAfter := 100 + rand.IntN(300)
	acked := make(map[string]string)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for session := range 16 {
		wg.Go(func() {
			for n := 0; ; n++ {
				to := Dest{Root: disk.dir, Path: fmt.Sprintf("d%d/u%d", n%50, session/2)}
				text := strings.Repeat(fmt.Sprintf("%d/%d\r\n", session, n), 1+rand.IntN(1000)) + "end\r\n"
				m := begin(s)
				m.Add(to, nil)
				_, _ = m.Write([]byte(text)) // its error is the copy's
				var outcome error
				m.Commit(context.Background(), func(_ int, err error) { outcome = err })
				if outcome != nil {
					return // the power has gone
				}
				mu.Lock()
				acked[filepath.Join(to.String(), "new", m.Name(0))] = strings.ReplaceAll(text, "\r\n", "\n")
				if len(acked) == cutAfter {
					disk.cut(t)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return acked
}

// A loopDisk is an ext4 file system in a file.
type loopDisk struct{ image, dir string }

func newLoopDisk(t *testing.T) *loopDisk {
	t.Helper()
	base := t.TempDir()
	d := &loopDisk{filepath.Join(base, "image"), filepath.Join(base, "mnt")}
	mkdir(t, d.dir)
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 256<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v\n%s", err, out)
	}
	d.mount(t)
	t.Cleanup(func() { d.unmount(t) })
	return d
}

func (d *loopDisk) mount(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
}

func (d *loopDisk) unmount(t *testing.T) {
	t.Helper()
	if err := unix.Unmount(d.dir, 0); err != nil {
		t.Errorf("unmount: %v", err)
	}
}

func (d *loopDisk) cut(t *testing.T) {
	fd, err := unix.Open(d.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Error(err)
		return
	}
	if err := unix.IoctlSetPointerInt(fd, ext4Shutdown, withoutFlushes); err != nil {
		t.Error(err)
	}
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
}
