package mailbox

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"
)

// When a shared directory sync fails, every copy of the round fails and is taken back.
func TestSharedSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := Dest{Root: scratch(t), Path: "u"}
		sys := newProbe()
		s := open(t, Options{Create: true}, sys)
		if err := send(t, s, "first\r\n", to)[0]; err != nil {
			t.Fatal(err)
		}
		answer := make(chan error)
		var stored, failed atomic.Int32
		sys.before = func(_ int, c call) error {
			if c.name == "fsync" && filepath.Base(c.path) == "new" {
				return <-answer
			}
			return nil
		}
		for i := range 10 {
			go func() {
				m := begin(s)
				m.Add(to, nil)
				_, _ = m.Write(fmt.Appendf(nil, "%d\r\n", i))
				m.Commit(context.Background(), func(_ int, err error) {
					if err == nil {
						stored.Add(1)
					} else {
						failed.Add(1)
					}
				})
			}()
			synctest.Wait()
		}
		answer <- nil
		synctest.Wait()
		answer <- unix.EIO
		synctest.Wait()
		if stored.Load() != 1 || failed.Load() != 9 {
			t.Errorf("%d stored, %d failed; want 1 and 9", stored.Load(), failed.Load())
		}
		if n := len(in(t, to.String(), "new")); n != 2 {
			t.Errorf("new/ has %d files, want 2", n)
		}
	})
}

// Each syncs one thing at a time on a file system, Group as many as Parallel allows.
func TestSyncsInFlight(t *testing.T) {
	for _, tt := range []struct {
		opts Options
		want int32
	}{
		{Options{Durability: Each, Parallel: 5}, 1},
		{Options{Durability: Group, Parallel: 5}, 5},
		{Options{Durability: Group}, 10},
		{Options{Durability: None}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			root := scratch(t)
			sys := newProbe()
			var running, most atomic.Int32
			step := make(chan struct{})
			sys.before = func(_ int, c call) error {
				if c.name == "fsync" {
					most.Store(max(most.Load(), running.Add(1)))
					<-step
					running.Add(-1)
				}
				return nil
			}
			tt.opts.Create = true
			s := open(t, tt.opts, sys)
			var stored atomic.Int32
			for i := range 10 {
				go func() {
					if send(t, s, "x\r\n", Dest{Root: root, Path: fmt.Sprintf("d%d/u", i)})[0] == nil {
						stored.Add(1)
					}
				}()
				synctest.Wait()
			}
			for stored.Load() < 10 {
				select {
				case step <- struct{}{}:
				default:
					t.Fatal("nobody syncs and not all are stored")
				}
				synctest.Wait()
			}
			if most.Load() != tt.want {
				t.Errorf("%v, parallel %d: %d syncs at once, want %d", tt.opts.Durability, tt.opts.Parallel, most.Load(), tt.want)
			}
		})
	}
}

// A file system that hangs holds up nobody on another (TestRounds shows who shares what).
func TestFrozenFileSystem(t *testing.T) {
	for _, durability := range []Durability{Group, Each} {
		synctest.Test(t, func(t *testing.T) {
			root := scratch(t)
			frozen, healthy := Dest{Root: root, Path: "frozen"}, Dest{Root: root, Path: "healthy"}
			sys := newProbe()
			sys.device = func(path string) (uint64, bool) { return 7, strings.Contains(path, "frozen") }
			s := open(t, Options{Create: true, Parallel: 1, Durability: durability}, sys)
			send(t, s, "first\r\n", frozen, healthy)
			thaw := make(chan struct{})
			sys.before = func(_ int, c call) error {
				if strings.Contains(c.path, "frozen") && (c.name == "writev" || c.name == "fsync") {
					<-thaw
				}
				return nil
			}
			var late atomic.Int32
			for range 5 {
				go func() {
					if send(t, s, "late\r\n", frozen)[0] == nil {
						late.Add(1)
					}
				}()
			}
			synctest.Wait()
			if err := send(t, s, "in time\r\n", healthy)[0]; err != nil {
				t.Error(err)
			}
			// In one transaction too: the outcome of the healthy copy does not wait.
			told := make(chan int, 2)
			m := begin(s)
			m.Add(frozen, nil)
			m.Add(healthy, nil)
			_, _ = m.Write([]byte("both\r\n"))
			go m.Commit(context.Background(), func(i int, _ error) { told <- i })
			synctest.Wait()
			if len(told) != 1 || <-told != 1 {
				t.Errorf("%v: the healthy copy waits for the frozen one", durability)
			}
			close(thaw)
			synctest.Wait()
			if late.Load() != 5 {
				t.Errorf("%v: after the thaw %d of 5 are stored", durability, late.Load())
			}
		})
	}
}
