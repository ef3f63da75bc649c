package directory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

// A Backend is a directory in a chain.
type Backend struct {
	// Name is what the log calls it.
	Name string
	Directory
	// Yields says that an address which a backend before this one has is left to that one.
	Yields bool
	// Closer closes what the backend holds, such as connections. [nothing]
	Closer io.Closer
	// Breaker is the one before the backend, where it may hang (Bounded). [none]
	Breaker *breaker.Breaker
}

// A Chain asks several directories in order, and one that cannot answer ends the search: what comes
// later might be the wrong mailbox. So might an address that is in two of them. Those after the
// first that has it are asked too, unless they yield, and the error is an *Overlap.
type Chain struct {
	Backends []Backend
	// Overlaps gets each address that several backends have. [not reported]
	Overlaps *Overlaps
}

// Lookup asks for an address.
func (c *Chain) Lookup(ctx context.Context, key Key) (Entry, error) {
	entry, err := c.first(ctx, key)
	if c.Overlaps == nil {
		return entry, err
	}
	if overlap := (*Overlap)(nil); errors.As(err, &overlap) {
		c.Overlaps.Tell(overlap)
	} else if err == nil && slices.ContainsFunc(c.Backends, func(b Backend) bool { return b.Yields }) {
		c.Overlaps.Look(key) // a backend that yields was not asked
	}
	return entry, err
}

// first finds the first backend that has an address.
func (c *Chain) first(ctx context.Context, key Key) (Entry, error) {
	for i := range c.Backends {
		b := &c.Backends[i]
		entry, err := b.Lookup(ctx, key)
		switch {
		case errors.Is(err, ErrNotFound):
			continue
		case err != nil:
			return Entry{}, named(b.Name, err)
		}
		if err := c.overlap(ctx, key, i); err != nil {
			return Entry{}, err
		}
		return entry, nil
	}
	return Entry{}, ErrNotFound
}

// Assume makes the chain answer as if a backend had an address, and no other, for those who ask before they add it.
func (c *Chain) Assume(backend string, key Key) {
	for i := range c.Backends {
		if c.Backends[i].Name == backend {
			c.Backends[i].Directory = only(key)
		}
	}
}

// only is a directory that has one address.
type only Key

func (o only) Lookup(_ context.Context, key Key) (Entry, error) {
	if key != Key(o) {
		return Entry{}, ErrNotFound
	}
	return Entry{Targets: []string{key.String()}}, nil
}

// Close closes what the backends hold.
func (c *Chain) Close() (err error) {
	for _, b := range c.Backends {
		if b.Breaker != nil {
			b.Breaker.Close()
		}
		if b.Closer != nil {
			err = errors.Join(err, b.Closer.Close())
		}
	}
	return err
}

// States returns how the backends are that may hang.
func (c *Chain) States() (states []breaker.State) {
	for _, b := range c.Backends {
		if b.Breaker != nil {
			states = append(states, b.Breaker.State())
		}
	}
	return states
}

// Forget drops what is remembered of an address, or of a domain as Cache.Forget does.
func (c *Chain) Forget(key Key) {
	for _, b := range c.Backends {
		if cache, ok := b.Directory.(interface{ Forget(Key) }); ok {
			cache.Forget(key)
		}
	}
}

// Domain asks those that know domains.
func (c *Chain) Domain(ctx context.Context, key string) (Domain, error) {
	for i := range c.Backends {
		b := &c.Backends[i]
		knower, ok := b.Directory.(DomainDirectory)
		if !ok {
			continue
		}
		domain, err := knower.Domain(ctx, key)
		if !errors.Is(err, ErrNotFound) {
			return domain, named(b.Name, err)
		}
	}
	return Domain{}, ErrNotFound
}

func named(backend string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("directory %s: %w", backend, err)
}
