package status

import (
	"errors"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// A Directory is how a backend that knows accounts is doing.
type Directory struct {
	Backend string `json:"backend"`
	// OK says that the last lookup was answered, or that there was none.
	OK      bool  `json:"ok"`
	Lookups int64 `json:"lookups"`
	Errors  int64 `json:"errors"`
	// Mean is of the last lookups, the latest of which count most.
	Mean      time.Duration `json:"mean_ns"`
	LastError string        `json:"last_error,omitempty"`
	ErrorAt   time.Time     `json:"error_at,omitzero"`
}

type directoryState struct{ Directory }

// Serve says which backends are asked from now on, in this order. Of others nothing is known any more: sessions that
// began before a reload may still ask them.
func (b *Board) Serve(backends []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := make([]*directoryState, len(backends))
	for i, name := range backends {
		if now[i] = b.directory(name); now[i] == nil {
			now[i] = &directoryState{Directory{Backend: name, OK: true}}
		}
	}
	b.directories = now
}

// LookedUp is called with a question to a backend.
func (b *Board) LookedUp(backend string, took time.Duration, err error) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	if d := b.directory(backend); d != nil {
		d.note(took, err, now)
	}
}

// directory is nil for a backend that is not asked any more. b.mu is held.
func (b *Board) directory(backend string) *directoryState {
	for _, d := range b.directories {
		if d.Backend == backend {
			return d
		}
	}
	return nil
}

func (d *directoryState) note(took time.Duration, err error, now time.Time) {
	d.Lookups++
	if d.Lookups == 1 {
		d.Mean = took
	}
	d.Mean += (took - d.Mean) / 16
	d.OK = err == nil || errors.Is(err, directory.ErrNotFound)
	if !d.OK {
		d.Errors++
		d.LastError, d.ErrorAt = shown(err.Error()), now
	}
}
