package metrics

import "sync"

// A memo keeps what was made for a key: a counter for its labels, which would have to be hashed
// each time. There are few keys.
type memo[K comparable, V any] struct {
	make func(K) V

	mu   sync.RWMutex
	made map[K]V
}

func newMemo[K comparable, V any](make func(K) V) *memo[K, V] {
	return &memo[K, V]{make: make, made: map[K]V{}}
}

func (m *memo[K, V]) of(k K) V {
	m.mu.RLock()
	v, ok := m.made[k]
	m.mu.RUnlock()
	if ok {
		return v
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok = m.made[k]; ok {
		return v
	}
	v = m.make(k)
	m.made[k] = v
	return v
}
