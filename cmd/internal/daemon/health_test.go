package daemon

import (
	"context"
	"errors"
	"strings"
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

// TestHungStore: a file system that does not answer costs one goroutine, however often it is asked,
// and is told as what it is.
func TestHungStore(t *testing.T) {
	c := &config.Config{}
	c.Store.Path = "/mail/{domain}/{local}"
	h := &health{inForce: func() (*config.Config, *delivery.Agent, bool) { return c, nil, true }}
	h.store.running = &probed{done: make(chan struct{})} // as one that hangs
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10 {
		if err := h.storeProblem(ctx, c); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%v", err)
		}
	}
	if d := h.disk(ctx); d != nil {
		t.Errorf("%+v", d)
	}
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
