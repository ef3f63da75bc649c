package directory_test

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// A pair of directories that both have alice, the second of which may yield.
func pair(yields bool) (first, second *backend, c *directory.Chain) {
	first, second = &backend{}, &backend{}
	return first, second, &directory.Chain{Backends: []directory.Backend{
		{Name: "first", Directory: first}, {Name: "second", Directory: second, Yields: yields},
	}}
}

// TestOverlapDefers: an address that two directories have is nobody's, also where the second has it in
// a record that makes no sense. One that is down, or does not answer for long, stops no mail.
func TestOverlapDefers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, second, c := pair(false)
		var overlap *directory.Overlap
		if entry, err := c.Lookup(t.Context(), alice); !errors.As(err, &overlap) || entry.Account != nil ||
			!slices.Equal(overlap.Backends, []string{"first", "second"}) || overlap.Key != alice || !overlap.Deferred {
			t.Errorf("in both: %+v, %v", entry, err)
		}
		if _, err := c.Lookup(t.Context(), nobody); !errors.Is(err, directory.ErrNotFound) || errors.As(err, &overlap) &&
			overlap.Key == nobody {
			t.Errorf("in none: %v", err)
		}
		c.Backends[1].Directory = &backend{fails: directory.Broken("alice", "quota is negative")}
		if _, err := c.Lookup(t.Context(), alice); !errors.As(err, &overlap) {
			t.Errorf("broken in the second: %v", err)
		}
		c.Backends[1].Directory = second
		second.down.Store(true)
		if entry, err := c.Lookup(t.Context(), alice); err != nil || entry.Account == nil {
			t.Errorf("the second is down: %+v, %v", entry, err)
		}
		second.down.Store(false)
		second.takes = time.Hour
		begun := time.Now()
		if entry, err := c.Lookup(t.Context(), alice); err != nil || entry.Account == nil || time.Since(begun) > time.Second {
			t.Errorf("the second hangs: %+v, %v after %v", entry, err, time.Since(begun))
		}
	})
}

// TestOverlapYields: a directory that yields is not asked, and its account is the first's.
func TestOverlapYields(t *testing.T) {
	first, second, c := pair(true)
	first.quota.Store(1)
	if entry, err := c.Lookup(t.Context(), alice); err != nil || entry.Account.Quota.Bytes != 1 ||
		second.asked.Load() != 0 {
		t.Errorf("%+v, %v", entry, err)
	}
	// It yields to those before it, not to those after.
	c.Backends = append(c.Backends, directory.Backend{Name: "third", Directory: &backend{}})
	var overlap *directory.Overlap
	if _, err := c.Lookup(t.Context(), alice); !errors.As(err, &overlap) ||
		!slices.Equal(overlap.Backends, []string{"first", "third"}) {
		t.Errorf("in a third: %v", err)
	}
}

// TestOverlapIsCached: behind caches an address is asked for once.
func TestOverlapIsCached(t *testing.T) {
	first, second, c := pair(false)
	for i := range c.Backends {
		c.Backends[i].Directory = directory.NewCache(c.Backends[i].Directory,
			directory.CacheOptions{TTL: time.Minute, NegativeTTL: time.Minute})
	}
	for range 3 {
		if _, err := c.Lookup(t.Context(), alice); err == nil {
			t.Error("found")
		}
	}
	if first.asked.Load() != 1 || second.asked.Load() != 1 {
		t.Errorf("asked %d and %d times", first.asked.Load(), second.asked.Load())
	}
}

// TestOverlaps: an address that two directories have is reported once; one that is only in one of
// them, or that nobody has, never.
func TestOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, chain := pair(true)
		var told []directory.Overlap
		o := directory.NewOverlaps(chain, slog.New(slog.DiscardHandler),
			func(overlap directory.Overlap) { told = append(told, overlap) })
		for range 3 {
			o.Look(alice)
			o.Look(nobody) // alice's turn has not ended yet
			synctest.Wait()
			o.Look(nobody)
			synctest.Wait()
		}
		if len(told) != 1 || told[0].Key != alice || told[0].Deferred ||
			!slices.Equal(told[0].Backends, []string{"first", "second"}) {
			t.Errorf("told %+v", told)
		}
		bob := directory.Key{Local: "bob", Domain: alice.Domain}
		for range 2 {
			o.Tell(&directory.Overlap{Key: alice, Deferred: true})
			o.Tell(&directory.Overlap{Key: bob, Deferred: true})
		}
		if len(told) != 2 || told[1].Key != bob || !told[1].Deferred {
			t.Errorf("told %+v", told)
		}
	})
}

// TestChainReports: the chain itself reports overlaps that its lookups meet with, and asks the backends that yield.
func TestChainReports(t *testing.T) {
	for _, yields := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, _, chain := pair(yields)
			var found []directory.Overlap
			chain.Overlaps = directory.NewOverlaps(chain, slog.New(slog.DiscardHandler),
				func(o directory.Overlap) { found = append(found, o) })
			for range 2 {
				_, err := chain.Lookup(t.Context(), alice)
				if (err == nil) != yields {
					t.Errorf("yields %v: %v", yields, err)
				}
				_, _ = chain.Lookup(t.Context(), nobody)
				synctest.Wait()
			}
			if len(found) != 1 || found[0].Key != alice || found[0].Deferred == yields {
				t.Errorf("yields %v: found %+v", yields, found)
			}
		})
	}
}

// TestAssume: an address is as if it were there already, in its backend.
func TestAssume(t *testing.T) {
	_, second, chain := pair(false)
	second.fails = directory.ErrNotFound
	chain.Assume("second", alice)
	var overlap *directory.Overlap
	if _, err := chain.Lookup(t.Context(), alice); !errors.As(err, &overlap) {
		t.Errorf("in the first too: %v", err)
	}
	chain.Assume("first", nobody)
	if entry, err := chain.Lookup(t.Context(), alice); err != nil || len(entry.Targets) != 1 {
		t.Errorf("in the second only: %+v, %v", entry, err)
	}
}

// A closer counts, and fails.
type closer int

func (c *closer) Close() error {
	*c++
	return errOut
}

// TestChainClose closes every backend, whatever becomes of the others.
func TestChainClose(t *testing.T) {
	_, _, chain := pair(false)
	var closed closer
	chain.Backends[0].Closer, chain.Backends[1].Closer = &closed, &closed
	if err := chain.Close(); !errors.Is(err, errOut) || closed != 2 {
		t.Errorf("%v, %d closed", err, closed)
	}
}
