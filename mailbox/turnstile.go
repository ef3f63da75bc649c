package mailbox

import (
	"context"
	"slices"
	"sync"
)

// A turnstile lets so many in at each place and queues the rest, first come first served.
// One guards the file systems (who is inside holds a thread of the operating system), one
// the mailboxes that deliveries are under way to, one the Maildirs that are being made.
type turnstile[K comparable] struct {
	size int
	mu   sync.Mutex
	at   map[K]place
}

type place struct {
	inside int
	queue  []chan struct{}
}

func newTurnstile[K comparable](size int) *turnstile[K] {
	return &turnstile[K]{size: size, at: make(map[K]place)}
}

// enter waits for room at k, no longer than ctx lasts. After nil the caller owes a leave.
func (t *turnstile[K]) enter(ctx context.Context, k K) error {
	t.mu.Lock()
	p := t.at[k]
	if p.inside < t.size {
		p.inside++
		t.at[k] = p
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	p.queue = append(p.queue, turn)
	t.at[k] = p
	t.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		t.desert(k, turn)
		return ctx.Err()
	}
}

// tryEnter is enter without waiting: it reports whether there was room.
func (t *turnstile[K]) tryEnter(k K) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.at[k]
	if p.inside == t.size {
		return false
	}
	p.inside++
	t.at[k] = p
	return true
}

// leaveAll leaves several places.
func (t *turnstile[K]) leaveAll(places []K) {
	for _, k := range places {
		t.leave(k)
	}
}

// wait is enter without an end to the patience.
func (t *turnstile[K]) wait(k K) { _ = t.enter(context.Background(), k) }

// desert takes turn out of the queue, or gives back the place it was just given.
func (t *turnstile[K]) desert(k K, turn chan struct{}) {
	t.mu.Lock()
	p := t.at[k]
	i := slices.Index(p.queue, turn)
	if i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
		t.at[k] = p
	}
	t.mu.Unlock()
	if i < 0 {
		t.leave(k)
	}
}

// leave hands the caller's room at k to the next in the queue.
func (t *turnstile[K]) leave(k K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.at[k]
	if len(p.queue) > 0 {
		close(p.queue[0])
		p.queue = p.queue[1:]
	} else {
		p.inside--
	}
	if p.inside == 0 {
		delete(t.at, k)
		return
	}
	t.at[k] = p
}
