package mailbox

import (
	"sync"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// durableSetSize bounds a durableSet: 100 octets or so for each.
const durableSetSize = 1 << 16

// A directoryEntry is a directory in another one.
type directoryEntry struct{ parent, child kernel.FileID }

// A durableSet remembers what is durable of the directories above mail: entries, each of which was synced,
// and Maildirs, by their new/, whose entries all were. Forgetting one costs a sync or a few.
type durableSet[K comparable] struct {
	mu  sync.RWMutex
	ids map[K]struct{}
}

func (t *durableSet[K]) has(id K) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.ids[id]
	return ok
}

func (t *durableSet[K]) add(id K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ids) >= durableSetSize {
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
