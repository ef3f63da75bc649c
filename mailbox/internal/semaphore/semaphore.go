// Package semaphore bounds how many goroutines are at work on the same thing at once.
package semaphore

import (
	"context"
	"slices"
	"sync"
)

// A Keyed is a semaphore for each key: size acquire it, and the others wait their turn, first come first served.
// Keys that are not held take no memory.
type Keyed[K comparable] struct {
	size  int
	mu    sync.Mutex
	state map[K]state
}

// A state is what a key has: how many hold it, and who waits.
type state struct {
	held  int
	queue []chan struct{}
}

// New returns a semaphore that size goroutines can acquire at once, for each key.
func New[K comparable](size int) *Keyed[K] {
	return &Keyed[K]{size: size, state: make(map[K]state)}
}

// Acquire waits for its turn at k, no longer than ctx lasts, whose cause is the error then. After nil the caller owes a
// Release.
func (s *Keyed[K]) Acquire(ctx context.Context, k K) error {
	s.mu.Lock()
	at := s.state[k]
	if at.held < s.size {
		at.held++
		s.state[k] = at
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	at.queue = append(at.queue, turn)
	s.state[k] = at
	s.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		s.desert(k, turn)
		return context.Cause(ctx)
	}
}

// TryAcquire is Acquire without waiting: it reports whether it was k's turn at once.
func (s *Keyed[K]) TryAcquire(k K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.state[k]
	if at.held == s.size {
		return false
	}
	at.held++
	s.state[k] = at
	return true
}

// desert takes turn out of the queue, or gives back what it was just handed.
func (s *Keyed[K]) desert(k K, turn chan struct{}) {
	s.mu.Lock()
	at := s.state[k]
	i := slices.Index(at.queue, turn)
	if i >= 0 {
		at.queue = slices.Delete(at.queue, i, i+1)
		s.state[k] = at
	}
	s.mu.Unlock()
	if i < 0 {
		s.Release(k)
	}
}

// Release hands k to the next in its queue.
func (s *Keyed[K]) Release(k K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.state[k]
	if len(at.queue) > 0 {
		close(at.queue[0])
		at.queue = at.queue[1:]
	} else {
		at.held--
	}
	if at.held == 0 {
		delete(s.state, k)
		return
	}
	s.state[k] = at
}

// Idle reports whether no key is held.
func (s *Keyed[K]) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.state) == 0
}
