package mailbox

import "sync"

// settledMost bounds a settled: 100 octets or so for each.
const settledMost = 1 << 16

// An entry is a directory in another one.
type entry struct{ parent, child fileID }

// settled remembers what is durable of the directories above mail: entries, each of which was synced,
// and Maildirs, by their new/, whose entries all were. Forgetting one costs a sync or a few.
type settled[K comparable] struct {
	mu  sync.RWMutex
	ids map[K]struct{}
}

func (t *settled[K]) has(id K) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.ids[id]
	return ok
}

func (t *settled[K]) add(id K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ids) >= settledMost {
		for some := range t.ids {
			delete(t.ids, some)
			break
		}
	}
	if t.ids == nil {
		t.ids = make(map[K]struct{})
	}
	t.ids[id] = struct{}{}
}
