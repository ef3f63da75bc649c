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
}

// A Chain asks several directories in order. The first that has an address settles it, and one
// that cannot answer ends the search: what comes later might be the wrong mailbox.
type Chain struct{ Backends []Backend }

// Lookup asks for an address.
func (c *Chain) Lookup(ctx context.Context, key Key) (Entry, error) {
	for i := range c.Backends {
		b := &c.Backends[i]
		entry, err := b.Lookup(ctx, key)
		if !errors.Is(err, ErrNotFound) {
			return entry, named(b.Name, err)
		}
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

// Claims names all the directories that have an address, in order, for people who ask. One that
// cannot answer is left out.
func (c *Chain) Claims(ctx context.Context, key Key) (names []string) {
	for _, b := range c.Backends {
		if _, err := b.Lookup(ctx, key); err == nil {
			names = append(names, b.Name)
		}
	}
	return names
}

func named(backend string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("directory %s: %w", backend, err)
}
