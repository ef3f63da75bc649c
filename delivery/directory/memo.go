package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// memoSize is the default of CacheOptions.Size.
const memoSize = 10_000

// memoTimeout is the default of CacheOptions.Timeout.
const memoTimeout = 5 * time.Second

// A memo remembers the answers to one kind of question.
type memo[K comparable, V any] struct {
	options CacheOptions
	ask     func(context.Context, K) (V, error)
	answers *lru.Cache[K, answer[V]]
	flights singleflight.Group

	mu    sync.Mutex
	round uint64 // how often something was forgotten
}

// An answer is what was said, and when.
type answer[V any] struct {
	value V
	err   error // nil or ErrNotFound
	at    time.Time
	epoch uint64
}

func newMemo[K comparable, V any](o CacheOptions, ask func(context.Context, K) (V, error)) *memo[K, V] {
	if o.Size <= 0 {
		o.Size = memoSize
	}
	o.Timeout = cmp.Or(o.Timeout, memoTimeout)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Epoch == nil {
		o.Epoch = func() uint64 { return 0 }
	}
	answers, err := lru.New[K, answer[V]](o.Size)
	if err != nil {
		panic(err) // only for a size of 0
	}
	return &memo[K, V]{options: o, ask: ask, answers: answers}
}

// get answers from memory while the answer counts, and else asks.
func (m *memo[K, V]) get(ctx context.Context, key K) (V, error) {
	if a, ok := m.answers.Get(key); ok && m.age(a) < m.lifetime(a) && a.epoch == m.options.Epoch() {
		return a.value, a.err
	}
	// The question belongs to all who wait for its answer: none of them ends it for the others. A lookup that begins
	// after something was forgotten does not wait for the answer to an earlier question.
	m.mu.Lock()
	round := m.round
	m.mu.Unlock()
	flight := m.flights.DoChan(fmt.Sprint(round, " ", key), func() (any, error) {
		return m.refresh(context.WithoutCancel(ctx), key, round)
	})
	select {
	case result := <-flight:
		value, _ := result.Val.(V)
		return value, result.Err
	case <-ctx.Done():
		var none V
		return none, fmt.Errorf("wait for the directory: %w", context.Cause(ctx))
	}
}

// refresh asks, and remembers the answer unless something was forgotten after the round in which it was asked for.
func (m *memo[K, V]) refresh(ctx context.Context, key K, round uint64) (value V, err error) {
	ctx, cancel := context.WithTimeout(ctx, m.options.Timeout)
	defer cancel()
	epoch := m.options.Epoch() // before: an answer of two epochs is one of the first
	// No caller could recover a panic of this goroutine, as those of a session can.
	err = guard.Call(func() (err error) {
		value, err = m.ask(ctx, key)
		return err
	})
	if err == nil || errors.Is(err, ErrNotFound) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.round == round {
			m.answers.Add(key, answer[V]{value, err, m.options.Now(), epoch})
		}
		return value, err
	}
	old, ok := m.answers.Peek(key)
	ok = ok && old.err == nil && m.age(old) < m.options.TTL+m.options.Stale
	if ok && (m.options.Stale > 0 || old.epoch == m.options.Epoch()) {
		return old.value, nil
	}
	return value, err
}

// forget drops the answers for keys that match, and those that are on their way.
func (m *memo[K, V]) forget(matches func(K) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.round++
	for _, key := range m.answers.Keys() {
		if matches(key) {
			m.answers.Remove(key)
		}
	}
}

// age is how old an answer is. A clock that was set back makes it old: its age is not known then.
func (m *memo[K, V]) age(a answer[V]) time.Duration {
	age := m.options.Now().Sub(a.at)
	if age < 0 {
		return 1<<63 - 1
	}
	return age
}

func (m *memo[K, V]) lifetime(a answer[V]) time.Duration {
	if a.err != nil {
		return m.options.NegativeTTL
	}
	return m.options.TTL
}
