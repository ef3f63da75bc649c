package directory

import (
	"context"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Watch returns d, and has observe called with the time and the outcome of each question: an error
// that is not ErrNotFound is trouble. observe is called from many goroutines, and must return at
// once. Around a cache it reports all lookups, inside one those that the backend sees.
func Watch(d Directory, observe func(took time.Duration, err error)) Directory {
	w := watched{d, observe}
	if knower, ok := d.(DomainDirectory); ok {
		return watchedDomains{w, knower}
	}
	return w
}

type watched struct {
	Directory
	observe func(took time.Duration, err error)
}

// Lookup asks for an address.
func (w watched) Lookup(ctx context.Context, key Key) (Entry, error) {
	begun := time.Now()
	var entry Entry
	err := guard.Call(func() (err error) {
		entry, err = w.Directory.Lookup(ctx, key)
		return err
	})
	w.observe(time.Since(begun), err)
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
	w.observe(time.Since(begun), err)
	return domain, err
}
