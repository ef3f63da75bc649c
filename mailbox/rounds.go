package mailbox

import (
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/internal/guard"
)

// rounds shares directory syncs. A directory has at most one sync in flight; those who come
// meanwhile wait for the next one and share it. They never share the running one: it may have
// begun before their rename, and then says nothing about it.
type rounds struct {
	sys  system
	gate *turnstile[uint64]
	told func(time.Duration, int, error)
	mu   sync.Mutex
	at   map[fileID]schedule
}

// A schedule is one directory's: the round whose sync is running and the one that gathers.
type schedule struct{ running, next *round }

// A round is one sync and everyone who waits for it. Its error is everyone's.
type round struct {
	over   sync.WaitGroup
	copies int // that wait for it
	err    error
}

func newRounds(sys system, gate *turnstile[uint64], told func(time.Duration, int, error)) *rounds {
	return &rounds{sys: sys, gate: gate, told: told, at: make(map[fileID]schedule)}
}

// sync returns when a sync of the directory that began after this call has ended. The first
// of a round leads it, by its own descriptor.
func (r *rounds) sync(dir directory) error {
	id := dir.id
	r.mu.Lock()
	s := r.at[id]
	if s.next != nil {
		s.next.copies++
		r.mu.Unlock()
		s.next.over.Wait()
		return s.next.err
	}
	mine := &round{copies: 1}
	mine.over.Add(1)
	s.next = mine
	r.at[id] = s
	r.mu.Unlock()

	if s.running != nil {
		s.running.over.Wait()
	}
	r.gate.wait(id.dev)
	r.begin(id)
	mine.err = guard.Call(func() error { // a panic must not keep the others waiting
		return syncDirectoryFor(r.sys, dir, mine.copies, r.told) // nobody joins any more
	})
	r.gate.leave(id.dev)
	r.end(id)
	mine.over.Done()
	return mine.err
}

// begin closes the gathering round: from here on others form the next.
func (r *rounds) begin(id fileID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at[id] = schedule{running: r.at[id].next}
}

func (r *rounds) end(id fileID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.at[id]
	s.running = nil
	if s.next == nil {
		delete(r.at, id)
		return
	}
	r.at[id] = s
}
