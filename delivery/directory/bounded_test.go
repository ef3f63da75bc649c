package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

// A hungDirectory answers when over is closed or, where it is polite, when its context ends: by the error of that, or
// with vague by another.
type hungDirectory struct {
	over        chan struct{}
	polite      bool
	vague       error
	asked, most atomic.Int32
}

func (d *hungDirectory) wait(ctx context.Context) error {
	if n := d.asked.Add(1); n > d.most.Load() {
		d.most.Store(n)
	}
	defer d.asked.Add(-1)
	var end <-chan struct{}
	if d.polite {
		end = ctx.Done()
	}
	select {
	case <-d.over:
		return ErrNotFound
	case <-end:
		return cmp.Or(d.vague, ctx.Err())
	}
}

func (d *hungDirectory) Lookup(ctx context.Context, _ Key) (Entry, error) {
	return Entry{}, d.wait(ctx)
}

func (d *hungDirectory) Domain(ctx context.Context, _ string) (Domain, error) {
	return Domain{}, d.wait(ctx)
}

// A backend that hangs, on a file system that does or behind a network that drops packets, is waited for no longer than
// its timeout, by a bounded number, and not at all as soon as it is known to hang.
func TestBounded(t *testing.T) {
	for _, kind := range []*hungDirectory{{}, {polite: true}, {polite: true, vague: errors.New("invalid connection")}} {
		synctest.Test(t, func(t *testing.T) {
			hung := &hungDirectory{over: make(chan struct{}), polite: kind.polite, vague: kind.vague}
			var changes []bool
			d, b := Bounded("sql", hung, 2*time.Second, func(s breaker.State) { changes = append(changes, s.Open) })
			defer b.Close()
			domains := d.(DomainDirectory)
			began := time.Now()
			var all sync.WaitGroup
			for i := range 500 {
				all.Go(func() {
					_, err := d.Lookup(t.Context(), Key{Local: "alice", Domain: "example.org"})
					if i%2 == 0 {
						_, err = domains.Domain(t.Context(), "example.org")
					}
					if !errors.Is(err, breaker.ErrHangs) || errors.Is(err, ErrNotFound) {
						t.Errorf("answer %v", err)
					}
				})
			}
			all.Wait()
			if took := time.Since(began); took > 4*time.Second || hung.most.Load() > questionsAtOnce+1 {
				t.Errorf("answered after %v, %d at once", took, hung.most.Load())
			}
			time.Sleep(time.Minute)
			began = time.Now()
			for range 100 {
				if _, err := d.Lookup(t.Context(), Key{Local: "alice"}); !errors.Is(err, breaker.ErrHangs) {
					t.Errorf("answer %v", err)
				}
			}
			if time.Since(began) > 0 {
				t.Errorf("waited %v for what is known to hang", time.Since(began))
			}
			close(hung.over)
			time.Sleep(time.Minute)
			if _, err := d.Lookup(t.Context(), Key{}); !errors.Is(err, ErrNotFound) {
				t.Errorf("when it answers again: %v", err)
			}
			synctest.Wait()
			if !slices.Equal(changes, []bool{false, true, false}) {
				t.Errorf("changes %v", changes)
			}
		})
	}
}

// What a cache knows is answered while the backend hangs, without a wait.
func TestBoundedBehindCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &hungDirectory{over: make(chan struct{})}
		close(hung.over)
		bounded, b := Bounded("sql", hung, time.Second, nil)
		defer b.Close()
		cache := NewCache(bounded, CacheOptions{TTL: time.Hour, NegativeTTL: time.Hour})
		if _, err := cache.Lookup(t.Context(), Key{Local: "known"}); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		hung.over = make(chan struct{})
		for name, want := range map[string]error{"known": ErrNotFound, "other": breaker.ErrHangs} {
			if _, err := cache.Lookup(t.Context(), Key{Local: name}); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
		close(hung.over)
	})
}

// The interface of domains is kept where it is, and only there.
func TestBoundedKeepsDomains(t *testing.T) {
	d, b := Bounded("own", only(Key{Local: "a"}), 0, nil)
	defer b.Close()
	if _, ok := d.(DomainDirectory); ok {
		t.Error("it knows domains")
	}
	if _, err := d.Lookup(t.Context(), Key{Local: "a"}); err != nil {
		t.Error(err)
	}
}
