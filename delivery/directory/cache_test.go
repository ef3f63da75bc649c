package directory_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

var (
	alice  = directory.Key{Local: "alice", Domain: "x.example"}
	nobody = directory.Key{Local: "nobody", Domain: "x.example"}
	errOut = errors.New("connection refused")
)

// A backend knows alice, and counts.
type backend struct {
	asked atomic.Int64
	down  atomic.Bool
	takes time.Duration
	quota atomic.Int64
	fails error
}

func (b *backend) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	b.asked.Add(1)
	select {
	case <-time.After(b.takes):
	case <-ctx.Done():
		return directory.Entry{}, ctx.Err()
	}
	switch {
	case b.down.Load():
		return directory.Entry{}, errOut
	case b.fails != nil:
		return directory.Entry{}, b.fails
	case key == alice:
		return directory.Entry{Account: &directory.Account{Address: key.String(), Key: key,
			Quota: directory.Quota{Bytes: b.quota.Load()}}}, nil
	case key.Local == "panic":
		panic("a driver's bug")
	}
	return directory.Entry{}, directory.ErrNotFound
}

// TestCacheRemembers: each kind of answer for its time, and then it is asked again.
func TestCacheRemembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}
		c := directory.NewCache(b, directory.CacheOptions{TTL: time.Minute, NegativeTTL: 10 * time.Second, Stale: time.Hour})
		ask := func(key directory.Key, want error, asked int64) {
			t.Helper()
			if _, err := c.Lookup(t.Context(), key); !errors.Is(err, want) {
				t.Errorf("%v: %v, want %v", key, err, want)
			}
			if b.asked.Load() != asked {
				t.Errorf("asked %d times, want %d", b.asked.Load(), asked)
			}
		}
		ask(alice, nil, 1)
		ask(alice, nil, 1)
		ask(nobody, directory.ErrNotFound, 2)
		ask(nobody, directory.ErrNotFound, 2)
		time.Sleep(10 * time.Second)
		ask(alice, nil, 2)
		ask(nobody, directory.ErrNotFound, 3)
		time.Sleep(50 * time.Second)
		ask(alice, nil, 4)

		// Down: who was known is known a while longer; nobody becomes unknown by it.
		b.down.Store(true)
		time.Sleep(time.Minute)
		ask(alice, nil, 5)
		ask(nobody, errOut, 6)
		ask(nobody, errOut, 7) // an error is not remembered
		time.Sleep(time.Hour)
		ask(alice, errOut, 8)
		b.down.Store(false)
		ask(alice, nil, 9)
		ask(alice, nil, 9)
	})
}

// TestCacheAsksOnce: a crowd is one question, and one of it who leaves does not end it.
func TestCacheAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{takes: time.Second}
		c := directory.NewCache(b, directory.CacheOptions{TTL: time.Minute})
		impatient, leave := context.WithTimeout(t.Context(), time.Millisecond)
		defer leave()
		var crowd sync.WaitGroup
		crowd.Go(func() {
			if _, err := c.Lookup(impatient, alice); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("impatient: %v", err)
			}
		})
		for range 100 {
			crowd.Go(func() {
				if entry, err := c.Lookup(t.Context(), alice); err != nil || entry.Account == nil {
					t.Errorf("%+v, %v", entry, err)
				}
			})
		}
		crowd.Wait()
		if n := b.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestCacheBounds: a question that takes too long, or panics, is an error; what is kept is bounded.
func TestCacheBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backend{takes: time.Hour}
		c := directory.NewCache(b, directory.CacheOptions{TTL: time.Hour, NegativeTTL: time.Hour, Timeout: time.Second,
			Size: 2})
		begun := time.Now()
		if _, err := c.Lookup(t.Context(), alice); !errors.Is(err, context.DeadlineExceeded) ||
			time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		b.takes = 0
		if _, err := c.Lookup(t.Context(), directory.Key{Local: "panic"}); err == nil ||
			errors.Is(err, directory.ErrNotFound) {
			t.Errorf("panic: %v", err)
		}
		before := b.asked.Load()
		for range 2 {
			for _, local := range []string{"a", "b", "c"} {
				if _, err := c.Lookup(t.Context(), directory.Key{Local: local}); !errors.Is(err, directory.ErrNotFound) {
					t.Error(err)
				}
			}
		}
		if n := b.asked.Load() - before; n != 6 {
			t.Errorf("asked %d times for three keys in a cache for two", n)
		}
	})
}

// TestChain: the first that has it settles it where the others yield, one that is down ends the search,
// and who is asked is told.
func TestChain(t *testing.T) {
	first, second := &backend{}, &backend{}
	first.quota.Store(1)
	second.quota.Store(2)
	var seen []string
	watched := func(name string, b *backend) directory.Backend {
		return directory.Backend{Name: name, Yields: true,
			Directory: directory.Watch(b, func(time.Duration, error) { seen = append(seen, name) })}
	}
	c := &directory.Chain{Backends: []directory.Backend{watched("first", first), watched("second", second)}}
	entry, err := c.Lookup(t.Context(), alice)
	if err != nil || entry.Account.Quota.Bytes != 1 || second.asked.Load() != 0 {
		t.Errorf("%+v, %v", entry, err)
	}
	if _, err := c.Lookup(t.Context(), nobody); !errors.Is(err, directory.ErrNotFound) || second.asked.Load() != 1 {
		t.Errorf("nobody: %v", err)
	}
	if names := c.Claims(t.Context(), alice); len(names) != 2 {
		t.Errorf("alice is claimed by %q", names)
	}
	first.down.Store(true)
	if _, err := c.Lookup(t.Context(), alice); !errors.Is(err, errOut) ||
		err.Error() != "directory first: connection refused" {
		t.Errorf("first down: %v", err)
	}
	if !slices.Equal(seen, []string{"first", "first", "second", "first", "second", "first"}) {
		t.Errorf("observed %q", seen)
	}
	if _, err := c.Domain(t.Context(), "x.example"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("domain: %v", err)
	}
}

// A domainBackend says of each domain that it is another's name.
type domainBackend struct {
	*backend
	of atomic.Value
}

func (b *domainBackend) Domain(context.Context, string) (directory.Domain, error) {
	b.asked.Add(1)
	return directory.Domain{AliasOf: b.of.Load().(string)}, nil
}

// TestCacheForgets: what is forgotten is asked for again, and an answer to an earlier question that comes only then is
// not remembered. What is known of others stays.
func TestCacheForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &domainBackend{backend: &backend{takes: time.Second}}
		b.of.Store("before")
		cache := directory.NewCache(b, directory.CacheOptions{TTL: time.Hour, NegativeTTL: time.Hour})
		chain := &directory.Chain{Backends: []directory.Backend{{Directory: b}, {Directory: cache}}}
		quota := func(key directory.Key) int64 {
			entry, err := cache.Lookup(t.Context(), key)
			if err != nil {
				t.Error(err)
				return -1
			}
			return entry.Account.Quota.Bytes
		}
		asked := func(want int64) {
			t.Helper()
			if got := b.asked.Load(); got != want {
				t.Errorf("asked %d times, want %d", got, want)
			}
		}
		b.quota.Store(1)
		quota(alice)
		_, _ = cache.Lookup(t.Context(), nobody)
		asked(2)
		b.quota.Store(2)
		chain.Forget(alice)
		if got := quota(alice); got != 2 {
			t.Errorf("quota %d, which was forgotten", got)
		}
		_, _ = cache.Lookup(t.Context(), nobody)
		asked(3)

		chain.Forget(alice)
		early := make(chan int64)
		go func() { early <- quota(alice) }()
		time.Sleep(500 * time.Millisecond)
		chain.Forget(alice) // while it is asked for
		if got := quota(alice); got != 2 {
			t.Errorf("quota %d", got)
		}
		<-early
		asked(5) // who came later had a question of their own
		b.quota.Store(3)
		if got := quota(alice); got != 2 {
			t.Errorf("quota %d: the later answer is not remembered", got)
		}

		domains := cache.(directory.DomainDirectory)
		_, _ = domains.Domain(t.Context(), "alias.example")
		b.of.Store("after")
		chain.Forget(directory.Key{Domain: alice.Domain})
		if got, err := domains.Domain(t.Context(), "alias.example"); err != nil || got.AliasOf != "after" {
			t.Errorf("%+v, %v", got, err)
		}
		if got := quota(alice); got != 3 {
			t.Errorf("quota %d of an address in the domain", got)
		}
	})
}
