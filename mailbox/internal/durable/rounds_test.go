package durable

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
)

// slowSync is a kernel whose fsync answers when the test says what.
type slowSync struct {
	kernel.Linux
	running, most, begun atomic.Int32
	answer               chan error
}

func (k *slowSync) Fsync(int) error {
	k.begun.Add(1)
	if n := k.running.Add(1); n > k.most.Load() {
		k.most.Store(n)
	}
	defer k.running.Add(-1)
	return <-k.answer
}

// Who comes while a directory sync runs shares the next one, never the running one, and the
// error of a round is everyone's in it and nobody else's.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := &slowSync{answer: make(chan error)}
		r := newRounds(&Disk{FS: kernel.FS{System: sys}}, semaphore.New[uint64](64))
		id := kernel.FileID{Device: 1, Inode: 2}
		outcomes := make(map[string]error)
		results := make(chan func(), 100)
		arrive := func(name string) {
			go func() {
				err := r.sync(Directory{FD: 3, ID: id})
				results <- func() { outcomes[name] = err }
			}()
			synctest.Wait()
		}
		answer := func(err error, want ...string) {
			t.Helper()
			sys.answer <- err
			synctest.Wait()
			clear(outcomes)
			for len(results) > 0 {
				(<-results)()
			}
			if len(outcomes) != len(want) {
				t.Errorf("%d have an outcome, want %q", len(outcomes), want)
			}
			for _, name := range want {
				if got, ok := outcomes[name]; !ok || got != err {
					t.Errorf("%s: %v, want %v", name, got, err)
				}
			}
		}
		arrive("a")
		for _, name := range []string{"b", "c", "d"} {
			arrive(name)
		}
		answer(nil, "a")
		arrive("e")
		arrive("f")
		answer(unix.EIO, "b", "c", "d")
		answer(nil, "e", "f")
		if sys.begun.Load() != 3 || sys.most.Load() != 1 {
			t.Errorf("%d syncs, %d at once; want 3 and 1", sys.begun.Load(), sys.most.Load())
		}
		if len(r.of) != 0 {
			t.Errorf("remembers %d directories", len(r.of))
		}
	})
}
