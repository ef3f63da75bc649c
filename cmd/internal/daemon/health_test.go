package daemon

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// TestHungStore: a file system that does not answer costs one goroutine, and is reported as what it is: after three
// seconds to those who ask first, and then at once. The root of another configuration is asked by itself.
func TestHungStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &config.Config{}
		c.Store.Path = "/mail/{domain}/{local}"
		h := &health{inForce: func() (*config.Config, *delivery.Agent, bool) { return c, nil, true }}
		lifted, looks := make(chan struct{}), new(atomic.Int32)
		h.store.look = func(root string) (*status.Disk, error) {
			if root == "/mail" {
				looks.Add(1)
				<-lifted
			}
			return &status.Disk{Path: root, Size: 1}, nil
		}
		for _, patience := range []time.Duration{healthPatience, 0} {
			began := time.Now()
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					if err := h.storeProblem(t.Context(), c); err == nil || !strings.Contains(err.Error(), "does not answer") {
						t.Errorf("%v", err)
					}
					if d := h.disk(t.Context()); d != nil {
						t.Errorf("%+v", d)
					}
				})
			}
			if all.Wait(); time.Since(began) != patience || looks.Load() != 1 {
				t.Errorf("answered after %v, by %d looks", time.Since(began), looks.Load())
			}
		}
		if d, err := h.store.ask(t.Context(), "/other"); err != nil || d.Path != "/other" {
			t.Errorf("another root: %+v, %v", d, err)
		}
		close(lifted)
		synctest.Wait()
		if d := h.disk(t.Context()); d == nil || d.Path != "/mail" {
			t.Errorf("afterwards %+v", d)
		}
	})
}

func TestPanicInProbe(t *testing.T) {
	p := &probe{look: func(string) (*status.Disk, error) { panic("boom") }}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := p.ask(ctx, "/mail")
		cancel()
		var panicked *guard.Panic
		if !errors.As(err, &panicked) {
			t.Errorf("answer %v", err)
		}
	}
}

// TestHangingDirectory: a directory that hangs is named, also where the cache knows the account that is asked for.
func TestHangingDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		d, b := directory.Bounded("sql", hungDirectory(over), time.Second, nil)
		chain := &directory.Chain{Backends: []directory.Backend{{Name: "sql", Directory: d, Breaker: b}}}
		store, err := mailbox.New(mailbox.Options{})
		if err != nil {
			t.Fatal(err)
		}
		agent := &delivery.Agent{Store: store, Router: &route.Router{Resolver: &route.Resolver{Directory: chain}}}
		if problems := hanging(agent); problems != nil {
			t.Errorf("problems %q", problems)
		}
		if _, err := chain.Lookup(t.Context(), directory.Key{Local: "alice"}); err == nil {
			t.Error("it has answered")
		}
		time.Sleep(time.Minute)
		if problems := hanging(agent); len(problems) != 1 ||
			!strings.HasPrefix(problems[0], "directory sql does not answer") {
			t.Errorf("problems %q", problems)
		}
		close(over)
		synctest.Wait()
		if problems := hanging(agent); problems != nil {
			t.Errorf("afterwards problems %q", problems)
		}
		if err := errors.Join(chain.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
}

// A hungDirectory answers when it is closed.
type hungDirectory chan struct{}

func (d hungDirectory) Lookup(context.Context, directory.Key) (directory.Entry, error) {
	<-d
	return directory.Entry{}, directory.ErrNotFound
}
