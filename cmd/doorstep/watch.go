package main

import (
	"log/slog"
	"math"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/metrics"
	"github.com/doorstep-mail/doorstep/cmd/internal/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/trace"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/internal/guard"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A watch is everything that is told of what the server does. A nil one is told nothing, and
// costs nothing.
type watch struct {
	metrics *metrics.Metrics
	board   *status.Board
	trace   *trace.Hub
	output  *logOutput
	log     *slog.Logger
}

// newWatch gives a watch where the configuration has a listener that shows it, and else nil.
func newWatch(c *config.Config) *watch {
	if c.Admin.Socket.Network == "" {
		return nil
	}
	return &watch{metrics: metrics.New(version), board: status.New(nil), trace: &trace.Hub{}}
}

// sessions are the hooks of listeners.
func (w *watch) sessions() lmtp.Hooks {
	if w == nil {
		return lmtp.Hooks{}
	}
	return lmtp.Hooks{
		Begin: func(s *lmtp.Session) {
			w.metrics.SessionBegan(s)
			w.board.SessionBegan(s)
			w.trace.SessionBegan(s)
		},
		End: func(s *lmtp.Session) {
			w.metrics.SessionEnded(s)
			w.board.SessionEnded(s)
			w.trace.SessionEnded(s)
		},
		Command: w.trace.Command,
		Reply: func(s *lmtp.Session, verb string, r lmtp.Reply) {
			w.metrics.Replied(s, verb, r)
			w.trace.Reply(s, verb, r)
		},
		Content: func(s *lmtp.Session, octets int64) {
			w.metrics.Received(s, octets)
			w.trace.Content(s, octets)
		},
	}
}

// deliveries are the hooks of the agent.
func (w *watch) deliveries() delivery.Hooks {
	if w == nil {
		return delivery.Hooks{}
	}
	return delivery.Hooks{Outcome: func(o delivery.Outcome) {
		w.metrics.Outcome(o)
		w.board.Outcome(o)
		w.trace.Outcome(o)
	}}
}

// store are the hooks of the store.
func (w *watch) store() mailbox.Hooks {
	if w == nil {
		return mailbox.Hooks{}
	}
	h := w.metrics.Store()
	begun, ended := h.Begun, h.Ended
	h.Begun = func(copies int) {
		begun(copies)
		w.board.CopiesBegan(copies)
	}
	h.Ended = func(took time.Duration, err error) {
		ended(took, err)
		w.board.CopyEnded()
	}
	return h
}

// lookups is told of what directories answer; nil where nobody wants to know.
func (w *watch) lookups() observer {
	if w == nil {
		return nil
	}
	return func(backend string, took time.Duration, err error) {
		w.metrics.LookedUp(backend, took, err)
		w.board.LookedUp(backend, took, err)
	}
}

// serves is told which configuration is in force.
func (w *watch) serves(c *config.Config) {
	if w != nil {
		w.board.Serve(backends(c))
	}
}

// reloaded is told what came of reading the configuration again.
func (w *watch) reloaded(err error) {
	if w == nil {
		return
	}
	w.metrics.Reloaded(err, time.Now())
	w.board.Reloaded(err)
}

// logs counts the lines that are lost on their way, and the panics among those that were logged.
func (w *watch) logs(output *logOutput, log *slog.Logger) {
	if w == nil {
		return
	}
	w.output, w.log = output, log
	w.metrics.LinesLost(output.lost.Load)
	w.metrics.Panics(output.panics.Load)
}

// value adds a gauge that is asked at each scrape. The registry asks in goroutines of its own, where a
// panic would end the program: it is logged, and there is no value.
func (w *watch) value(name, help string, ask func() float64) {
	w.metrics.Func(name, help, func() float64 {
		value := math.NaN()
		guard.Run(w.log, "metric "+name, func() { value = ask() })
		return value
	})
}
