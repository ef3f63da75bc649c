package outbox

import (
	"sync"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// rounds shares syncs among those who wait: at most one is under way, and those who come meanwhile share the next one.
// They never share the one under way, which may have begun before what they did.
type rounds struct {
	mu            sync.Mutex
	running, next *round
}

// A round is one sync, and its error.
type round struct {
	over chan struct{}
	err  error
}

// do returns when a sync that began after this call has ended.
func (r *rounds) do(sync func() error) error {
	r.mu.Lock()
	mine, before := r.next, r.running
	if mine != nil { // another one leads it
		r.mu.Unlock()
		<-mine.over
		return mine.err
	}
	mine = &round{over: make(chan struct{})}
	r.next = mine
	r.mu.Unlock()
	if before != nil {
		<-before.over
	}
	r.mu.Lock()
	r.running, r.next = mine, nil // who comes from now on leads another
	r.mu.Unlock()
	mine.err = guard.Call(sync) // a panic must not keep the others waiting
	close(mine.over)
	return mine.err
}
