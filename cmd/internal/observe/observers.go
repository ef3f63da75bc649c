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
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Observers see all that the server does. Nil sees nothing, and costs nothing.
type Observers struct {
	Metrics *metrics.Metrics
	Board   *status.Board
	Trace   *trace.Hub
	Output  *logging.Output
	log     *slog.Logger
}

// New returns observers if the configuration has a listener that shows what they see, and else nil.
func New(c *config.Config) *Observers {
	if c.Admin.Socket.Network == "" {
		return nil
	}
	return &Observers{Metrics: metrics.New(cli.Version), Board: status.New(nil), Trace: &trace.Hub{}}
}

// Sessions are the hooks of listeners.
func (o *Observers) Sessions() lmtp.Hooks {
	if o == nil {
		return lmtp.Hooks{}
	}
	return lmtp.Hooks{
		Begin: func(s *lmtp.Session) {
			o.Metrics.SessionBegan(s)
			o.Board.SessionBegan(s)
			o.Trace.SessionBegan(s)
		},
		End: func(s *lmtp.Session) {
			o.Metrics.SessionEnded(s)
			o.Board.SessionEnded(s)
			o.Trace.SessionEnded(s)
		},
		Command: o.Trace.Command,
		Reply: func(s *lmtp.Session, verb string, r lmtp.Reply) {
			o.Metrics.Replied(s, verb, r)
			o.Trace.Reply(s, verb, r)
		},
		Content: func(s *lmtp.Session, octets int64) {
			o.Metrics.Received(s, octets)
			o.Trace.Content(s, octets)
		},
	}
}

// Deliveries are the hooks of the agent.
func (o *Observers) Deliveries() delivery.Hooks {
	if o == nil {
		return delivery.Hooks{}
	}
	return delivery.Hooks{Outcome: func(outcome delivery.Outcome) {
		o.Metrics.Outcome(outcome)
		o.Board.Outcome(outcome)
		o.Trace.Outcome(outcome)
	}}
}

// Store are the hooks of the store.
func (o *Observers) Store() mailbox.Hooks {
	if o == nil {
		return mailbox.Hooks{}
	}
	h := o.Metrics.Store()
	begun, ended := h.Begun, h.Ended
	h.Begun = func(copies int) {
		begun(copies)
		o.Board.CopiesBegan(copies)
	}
	h.Ended = func(took time.Duration, err error) {
		ended(took, err)
		o.Board.CopyEnded()
	}
	return h
}

// Outbox are the hooks of the outbox.
func (o *Observers) Outbox() outbox.Hooks {
	if o == nil {
		return outbox.Hooks{}
	}
	return o.Metrics.Outbox()
}

// Waiting adds the gauges of an outbox, which is asked at each scrape; nil: there is none.
func (o *Observers) Waiting(ask func() *outbox.State) {
	o.Metrics.Waiting(func() (s *outbox.State) {
		guard.Run(o.log, "metrics of the outbox", func() { s = ask() })
		return s
	})
}

// Lookups is called with what directories answer; nil where none is on.
func (o *Observers) Lookups() Lookups {
	if o == nil {
		return nil
	}
	return func(backend string, took time.Duration, err error) {
		o.Metrics.LookedUp(backend, took, err)
		o.Board.LookedUp(backend, took, err)
	}
}

// Serves is called with the names of the backends of the configuration in force.
func (o *Observers) Serves(backends []string) {
	if o != nil {
		o.Board.Serve(backends)
	}
}

// Reloaded is called with the outcome of reading the configuration again.
func (o *Observers) Reloaded(err error) {
	if o == nil {
		return
	}
	o.Metrics.Reloaded(err, time.Now())
	o.Board.Reloaded(err)
}

// Logs counts the lines that are lost on their way, and the panics among those that were logged.
func (o *Observers) Logs(output *logging.Output, log *slog.Logger) {
	if o == nil {
		return
	}
	o.Output, o.log = output, log
	o.Metrics.LinesLost(output.Lost.Load)
	o.Metrics.Panics(output.Panics.Load)
}

// Value adds a gauge that is asked at each scrape. The registry asks in goroutines of its own, where a
// panic would end the program: it is logged, and there is no value.
func (o *Observers) Value(name, help string, ask func() float64) {
	o.Metrics.Func(name, help, func() float64 {
		value := math.NaN()
		guard.Run(o.log, "metric "+name, func() { value = ask() })
		return value
	})
}
