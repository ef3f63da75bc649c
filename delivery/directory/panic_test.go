package directory_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A broken directory panics.
type broken struct{}

func (*broken) Lookup(context.Context, directory.Key) (directory.Entry, error) {
	panic("a driver's bug")
}

// TestOverlapsPanic: the question beside a delivery has a goroutine of its own, where a panic would end
// the server. It is logged, and the next address has its turn.
func TestOverlapsPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, chain := pair(true)
		chain.Backends[1].Directory = &broken{}
		panics := 0
		log := slog.New(guard.NewHandler(slog.DiscardHandler, func(slog.Record) { panics++ }))
		o := directory.NewOverlaps(chain, log, func(directory.Overlap) { t.Error("found") })
		o.Look(alice)
		synctest.Wait()
		o.Look(nobody)
		synctest.Wait()
		if panics != 2 {
			t.Errorf("%d panics are logged, want one for each of two questions", panics)
		}
	})
}

// TestWatchPanic: a panic of a backend is an error that is reported like any other.
func TestWatchPanic(t *testing.T) {
	var told error
	d := directory.Watch(&broken{}, func(_ time.Duration, err error) { told = err })
	_, err := d.Lookup(t.Context(), alice)
	var p *guard.Panic
	if !errors.As(err, &p) || told != err || errors.Is(err, directory.ErrNotFound) {
		t.Errorf("error %v, told %v", err, told)
	}
}
