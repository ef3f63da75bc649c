package directory

import (
	"context"
	"errors"
	"fmt"
)

// A Backend is a directory in a chain.
type Backend struct {
	// Name is what the log calls it.
	Name string
	Directory
	// Yields says that an address which a backend before this one has is left to that one.
	Yields bool
}

// A Chain asks several directories in order, and one that cannot answer ends the search: what comes
// later might be the wrong mailbox. So might an address that is in two of them. Those behind the
// first that has it are asked too, unless they yield, and the error is an *Overlap.
type Chain struct{ Backends []Backend }

// Lookup asks for an address.
func (c *Chain) Lookup(ctx context.Context, key Key) (Entry, error) {
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
