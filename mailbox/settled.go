package mailbox

import "sync"

// settledMaildirs bounds a settled: 64 octets or so for each.
const settledMaildirs = 1 << 16

// settled remembers the Maildirs that are durable themselves, by their new/. Forgetting one costs
// a few syncs.
type settled struct {
	mu  sync.RWMutex
	ids map[fileID]struct{}
}

func (t *settled) has(id fileID) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.ids[id]
	return ok
}

func (t *settled) add(id fileID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ids) >= settledMaildirs {
		for some := range t.ids {
			delete(t.ids, some)
			break
		}
	}
	if t.ids == nil {
		t.ids = make(map[fileID]struct{})
	}
	t.ids[id] = struct{}{}
}
