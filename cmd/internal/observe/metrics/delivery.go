package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// What becomes of recipients.

// The outcomes of a recipient.
const (
	Delivered = "delivered" // 250
	Deferred  = "deferred"  // 4xx: the client tries again
	Refused   = "refused"   // 5xx
)

func (m *Metrics) makeDeliveries() {
	recipients := m.counters("recipients_total",
		"Recipients, by their outcome (delivered, deferred, refused) and the rule that deferred or refused them.", "outcome",
		"rule")
	m.recipients.make = func(k outcomeKey) prometheus.Counter { return recipients.WithLabelValues(k.outcome, k.rule) }
	m.delivered = m.counter("delivered_bytes_total", "Octets delivered, as sent, once for each recipient.")
	m.took = m.histogram("delivery_duration_seconds", "Time from the end of the content to the outcome of a recipient.",
		latencies)
	m.recipients.of(outcomeKey{outcome: Delivered})
}

// An outcomeKey is an outcome and the rule that led to it, "" for none.
type outcomeKey struct{ outcome, rule string }

// OutcomeOf names the outcome that err is.
func OutcomeOf(err error) string {
	var e *lmtp.Error
	switch {
	case err == nil:
		return Delivered
	case errors.As(err, &e) && !e.Temporary():
		return Refused
	}
	return Deferred
}

// Outcome is delivery.Hooks.Outcome.
func (m *Metrics) Outcome(o delivery.Outcome) {
	m.recipients.of(outcomeKey{OutcomeOf(o.Err), m.rules.value(lmtp.RuleOf(o.Err))}).Inc()
	if o.Err == nil {
		m.delivered.Add(float64(o.Size))
	}
	if o.Took > 0 {
		m.took.Observe(o.Took.Seconds())
	}
}
