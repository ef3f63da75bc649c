package metrics

import "sync"

// A bounded set keeps the values of a label few, whatever code of others hands in: those beyond
// the most it takes are "other".
type bounded struct {
	most int
	mu   sync.RWMutex
	seen map[string]struct{}
}

func (b *bounded) value(s string) string {
	b.mu.RLock()
	_, known := b.seen[s]
	b.mu.RUnlock()
	if known {
		return s
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.seen) >= b.most {
		return "other"
	}
	if b.seen == nil {
		b.seen = make(map[string]struct{})
	}
	b.seen[s] = struct{}{}
	return s
}
