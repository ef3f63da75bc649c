package directory

import (
	"context"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Watch returns d, and has told called with the time and the outcome of each question: an error
// that is not ErrNotFound is trouble. told is called from many goroutines, and must return at
// once. In front of a cache it reports the lookups, behind one of those the backend sees.
func Watch(d Directory, told func(took time.Duration, err error)) Directory {
	w := watched{d, told}
	if knower, ok := d.(DomainDirectory); ok {
		return watchedDomains{w, knower}
	}
	return w
}

type watched struct {
	Directory
	told func(took time.Duration, err error)
}

// Lookup asks for an address.
func (w watched) Lookup(ctx context.Context, key Key) (Entry, error) {
	begun := time.Now()
	var entry Entry
	err := guard.Call(func() (err error) {
		entry, err = w.Directory.Lookup(ctx, key)
		return err
	})
	w.told(time.Since(begun), err)
	return entry, err
}

// watchedDomains is watched for a DomainDirectory.
type watchedDomains struct {
	watched
	knower DomainDirectory
}

// Domain asks for a domain.
func (w watchedDomains) Domain(ctx context.Context, key string) (Domain, error) {
	begun := time.Now()
	var domain Domain
	err := guard.Call(func() (err error) {
		domain, err = w.knower.Domain(ctx, key)
		return err
	})
	w.told(time.Since(begun), err)
	return domain, err
}
