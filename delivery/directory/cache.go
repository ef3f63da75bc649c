package directory

import (
	"context"
	"time"
)

// CacheOptions are the choices of a Cache. Times of zero keep nothing.
type CacheOptions struct {
	// TTL is how long an answer counts.
	TTL time.Duration
	// NegativeTTL is how long "no such account" counts: as long as a new account must wait for
	// its first mail, and as long as a flood of unknown recipients is kept from the backend.
	NegativeTTL time.Duration
	// Stale is for how long an answer counts on while the backend cannot give a new one.
	Stale time.Duration
	// Size bounds the answers that are kept. [10,000]
	Size int
	// Timeout bounds one question to the backend. [5s]
	Timeout time.Duration
	// Epoch, where it is set, distinguishes states of the backend: an answer of another epoch does not count,
	// other than as a stale one. It must return at once.
	Epoch func() uint64
	// Now is the clock. [time.Now]
	Now func() time.Time
}

// A Cache stands before a directory and remembers its answers. Many who ask the same at once
// are one question. Errors other than ErrNotFound are not remembered.
type Cache struct {
	to      Directory
	entries *memo[Key, Entry]
	domains *memo[string, Domain]
}

// NewCache returns a cache before d. It knows domains where d does.
func NewCache(d Directory, o CacheOptions) Directory {
	c := &Cache{to: d, entries: newMemo(o, d.Lookup)}
	knower, ok := d.(DomainDirectory)
	if !ok {
		return c
	}
	c.domains = newMemo(o, knower.Domain)
	return domainCache{c}
}

// Lookup answers from memory, or asks.
func (c *Cache) Lookup(ctx context.Context, key Key) (Entry, error) { return c.entries.get(ctx, key) }

// Forget drops what is remembered of an address or, for a key without a local part, of a domain and all its addresses.
// All that was remembered of domains goes with that: a domain may have been another's name.
func (c *Cache) Forget(key Key) {
	c.entries.forget(func(k Key) bool { return k == key || key.Local == "" && k.Domain == key.Domain })
	if c.domains != nil && key.Local == "" {
		c.domains.forget(func(string) bool { return true })
	}
}

// A domainCache is a Cache before a DomainDirectory.
type domainCache struct{ *Cache }

// Domain answers from memory, or asks.
func (c domainCache) Domain(ctx context.Context, key string) (Domain, error) {
	return c.domains.get(ctx, key)
}
