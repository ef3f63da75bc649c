// Package observe joins the observers of what the server does: metrics, the status board, live traces.
package observe

import (
	"log/slog"
	"math"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/logging"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/metrics"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/trace"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Observers is the observers of what the server does. A nil one is no observer, and
// costs nothing.
type Observers struct {
	Metrics *metrics.Metrics
	Board   *status.Board
	Trace   *trace.Hub
	Output  *logging.Output
	log     *slog.Logger
}

// New returns a watch where the configuration has a listener that shows it, and else nil.
func New(c *config.Config) *Observers {
	if c.Admin.Socket.Network == "" {
		return nil
	}
	return &Observers{Metrics: metrics.New(cli.Version), Board: status.New(nil), Trace: &trace.Hub{}}
}

// Sessions are the hooks of listeners.
func (w *Observers) Sessions() lmtp.Hooks {
	if w == nil {
		return lmtp.Hooks{}
	}
	return lmtp.Hooks{
		Begin: func(s *lmtp.Session) {
			w.Metrics.SessionBegan(s)
			w.Board.SessionBegan(s)
			w.Trace.SessionBegan(s)
		},
		End: func(s *lmtp.Session) {
			w.Metrics.SessionEnded(s)
			w.Board.SessionEnded(s)
			w.Trace.SessionEnded(s)
		},
		Command: w.Trace.Command,
		Reply: func(s *lmtp.Session, verb string, r lmtp.Reply) {
			w.Metrics.Replied(s, verb, r)
			w.Trace.Reply(s, verb, r)
		},
		Content: func(s *lmtp.Session, octets int64) {
			w.Metrics.Received(s, octets)
			w.Trace.Content(s, octets)
		},
	}
}

// Deliveries are the hooks of the agent.
func (w *Observers) Deliveries() delivery.Hooks {
	if w == nil {
		return delivery.Hooks{}
	}
	return delivery.Hooks{Outcome: func(o delivery.Outcome) {
		w.Metrics.Outcome(o)
		w.Board.Outcome(o)
		w.Trace.Outcome(o)
	}}
}

// Store are the hooks of the store.
func (w *Observers) Store() mailbox.Hooks {
	if w == nil {
		return mailbox.Hooks{}
	}
	h := w.Metrics.Store()
	begun, ended := h.Begun, h.Ended
	h.Begun = func(copies int) {
		begun(copies)
		w.Board.CopiesBegan(copies)
	}
	h.Ended = func(took time.Duration, err error) {
		ended(took, err)
		w.Board.CopyEnded()
	}
	return h
}

// Lookups is called with what directories answer; nil where none is on.
func (w *Observers) Lookups() Lookups {
	if w == nil {
		return nil
	}
	return func(backend string, took time.Duration, err error) {
		w.Metrics.LookedUp(backend, took, err)
		w.Board.LookedUp(backend, took, err)
	}
}

// Serves is called with the names of the backends of the configuration in force.
func (w *Observers) Serves(backends []string) {
	if w != nil {
		w.Board.Serve(backends)
	}
}

// Reloaded is called with the outcome of reading the configuration again.
func (w *Observers) Reloaded(err error) {
	if w == nil {
		return
	}
	w.Metrics.Reloaded(err, time.Now())
	w.Board.Reloaded(err)
}

// Logs counts the lines that are lost on their way, and the panics among those that were logged.
func (w *Observers) Logs(output *logging.Output, log *slog.Logger) {
	if w == nil {
		return
	}
	w.Output, w.log = output, log
	w.Metrics.LinesLost(output.Lost.Load)
	w.Metrics.Panics(output.Panics.Load)
}

// Value adds a gauge that is asked at each scrape. The registry asks in goroutines of its own, where a
// panic would end the program: it is logged, and there is no value.
func (w *Observers) Value(name, help string, ask func() float64) {
	w.Metrics.Func(name, help, func() float64 {
		value := math.NaN()
		guard.Run(w.log, "metric "+name, func() { value = ask() })
		return value
	})
}
