package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
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
