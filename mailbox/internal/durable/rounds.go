package durable

import (
	"context"
	"sync"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// rounds shares directory syncs. A directory has at most one sync in flight; callers that come
// meanwhile wait for the next one and share it. They never share the running one: it may have
// begun before their rename, and then says nothing about it.
type rounds struct {
	disk  *Disk
	slots *Slots
	mu    sync.Mutex
	of    map[kernel.FileID]schedule
}

// A schedule is one directory's: the round whose sync is running and the one that gathers.
type schedule struct{ running, next *round }

// A round is one sync and all who wait for it. Its error is theirs.
type round struct {
	over   sync.WaitGroup
	copies int // that wait for it
	err    error
}

func newRounds(disk *Disk, slots *Slots) *rounds {
	return &rounds{disk: disk, slots: slots, of: make(map[kernel.FileID]schedule)}
}

// sync returns when a sync of the directory that began after this call has ended. The first
// of a round leads it, by its own descriptor.
func (r *rounds) sync(dir Directory) error {
	id := dir.ID
	r.mu.Lock()
	s := r.of[id]
	if s.next != nil {
		s.next.copies++
		r.mu.Unlock()
		s.next.over.Wait()
		return s.next.err
	}
	mine := &round{copies: 1}
	mine.over.Add(1)
	s.next = mine
	r.of[id] = s
	r.mu.Unlock()

	if s.running != nil {
		s.running.over.Wait()
	}
	_ = r.slots.Acquire(context.Background(), id.Device)
	r.begin(id)
	mine.err = guard.Call(func() error { // a panic must not keep the others waiting
		return r.disk.syncDirectory(dir, mine.copies) // no copy joins any more
	})
	r.slots.Release(id.Device)
	r.end(id)
	mine.over.Done()
	return mine.err
}

// begin closes the gathering round: from here on others form the next.
func (r *rounds) begin(id kernel.FileID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[id] = schedule{running: r.of[id].next}
}

func (r *rounds) end(id kernel.FileID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.of[id]
	s.running = nil
	if s.next == nil {
		delete(r.of, id)
		return
	}
	r.of[id] = s
}
