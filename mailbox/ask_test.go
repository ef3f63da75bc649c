package mailbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A hungDisk is a kernel on which what is below one directory does not answer until it is lifted.
type hungDisk struct {
	*probe
	root        string
	lifted      chan struct{}
	stuck, most atomic.Int32
}

func newHungDisk(root string) *hungDisk {
	d := &hungDisk{probe: newProbe(), root: root, lifted: make(chan struct{})}
	d.before = func(_ int, c call) error {
		if strings.HasPrefix(c.path, root) {
			if n := d.stuck.Add(1); n > d.most.Load() {
				d.most.Store(n)
			}
			<-d.lifted
			d.stuck.Add(-1)
		}
		return nil
	}
	return d
}

// well is a directory on another file system than scratch.
func well(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if strings.HasPrefix(scratch(t), os.TempDir()) {
		t.Skip("needs a second file system: /dev/shm")
	}
	return dir
}

// Every question about a mailbox on a file system that hangs is answered in seconds, and at once as soon as that is
// known; threads stay bounded; what is elsewhere is answered meanwhile; and all is as before when it answers again.
func TestQuestionsHang(t *testing.T) {
	ctx := context.Background() // that of the test is from outside of the bubble
	questions := map[string]func(s *Store, to Dest) error{
		"HasFolder":     func(s *Store, to Dest) error { _, err := s.HasFolder(ctx, to); return err },
		"CanMakeFolder": func(s *Store, to Dest) error { _, err := s.CanMakeFolder(ctx, to); return err },
		"Reachable":     func(s *Store, to Dest) error { return s.Reachable(ctx, to) },
		"Room":          func(s *Store, to Dest) error { return s.Room(ctx, Copy{To: to}, 1000) },
	}
	for name, question := range questions {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root, elsewhere := scratch(t), well(t)
				disk := newHungDisk(filepath.Dir(root)) // all that is mounted there
				s := open(t, Options{Create: true}, disk)
				about := func(root, user string) Dest {
					return Dest{Root: root, Path: user, Folder: ".Lists", MakeFolder: 10, Quota: Quota{Messages: 10}}
				}
				ask := func(root, user string) error { return question(s, about(root, user)) }
				began := time.Now()
				var all sync.WaitGroup
				for i := range 1000 {
					all.Go(func() {
						if err := ask(root, string(rune('a'+i%10))); !errors.Is(err, ErrHangs) {
							t.Errorf("answer %v", err)
						}
					})
				}
				synctest.Wait()
				if n := disk.most.Load(); n > 32 {
					t.Errorf("%d are stuck", n)
				}
				if err := ask(elsewhere, "u"); err != nil {
					t.Errorf("elsewhere: %v", err)
				}
				all.Wait()
				if took := time.Since(began); took > askTimeout {
					t.Errorf("answered after %v", took)
				}
				time.Sleep(time.Minute)
				began = time.Now()
				for _, err := range []error{ask(root, "z"), s.Answers(about(root, "z"))} {
					if !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), "does not answer") || time.Since(began) > 0 {
						t.Errorf("when it is known: %v after %v", err, time.Since(began))
					}
				}
				if n := disk.most.Load(); n > 32+1 {
					t.Errorf("%d are stuck, the probe among them", n)
				}
				close(disk.lifted)
				synctest.Wait()
				if err := errors.Join(ask(root, "a"), s.Answers(about(root, "a"))); err != nil {
					t.Errorf("when it answers again: %v", err)
				}
				if !s.asking.Idle() {
					t.Error("mailboxes are still asked about")
				}
			})
		})
	}
}

// One mailbox that hangs on a file system that answers takes no places from others, and its own questions are answered.
func TestOneMailboxHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := scratch(t)
		hung := false
		disk := newHungDisk(root + "/hung")
		disk.before, disk.root = func(n int, c call) error {
			if strings.HasSuffix(c.path, "hung/.Lists/cur") {
				disk.stuck.Add(1)
				<-disk.lifted
			}
			return nil
		}, ""
		s := open(t, Options{Hooks: Hooks{FileSystem: func(s FileSystemState) { hung = hung || s.Open }}}, disk)
		ask := func(user string) error {
			_, err := s.HasFolder(t.Context(), Dest{Root: root, Path: user, Folder: ".Lists"})
			return err
		}
		for range 20 {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if err := ask("hung"); !errors.Is(err, ErrHangs) {
						t.Errorf("the one that hangs: %v", err)
					}
				})
			}
			synctest.Wait()
			if err := ask("well"); err != nil {
				t.Errorf("another: %v", err)
			}
			all.Wait()
		}
		if n := disk.stuck.Load(); n != askAtOnce || hung {
			t.Errorf("%d are stuck, want %d; the file system counts as hung: %t", n, askAtOnce, hung)
		}
		close(disk.lifted)
	})
}
