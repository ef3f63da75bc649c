package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// The outcomes of a recipient.
const (
	Delivered = "delivered" // 250
	Deferred  = "deferred"  // 4xx: the client tries again
	Refused   = "refused"   // 5xx
)

// recipients counts what becomes of recipients.
type recipients struct {
	outcomes *memo[outcomeKey, prometheus.Counter]
	rules    *bounded
	octets   prometheus.Counter
	elapsed  prometheus.Histogram
}

func newRecipients(f promauto.Factory) recipients {
	total := f.NewCounterVec(prometheus.CounterOpts{Name: "recipients_total",
		Help: "Recipients, by their outcome (delivered, deferred, refused) and the rule that deferred or refused them.",
	}, []string{"outcome", "rule"})
	r := recipients{
		outcomes: newMemo(func(k outcomeKey) prometheus.Counter { return total.WithLabelValues(k.outcome, k.rule) }),
		rules:    &bounded{most: 64},
		octets: f.NewCounter(prometheus.CounterOpts{Name: "delivered_bytes_total",
			Help: "Octets delivered, as sent, once for each recipient."}),
		elapsed: f.NewHistogram(prometheus.HistogramOpts{Name: "delivery_duration_seconds", Buckets: latencies,
			Help: "Time from the end of the content to the outcome of a recipient."}),
	}
	r.outcomes.of(outcomeKey{outcome: Delivered}) // shown as 0 from the start
	return r
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
func (r *recipients) Outcome(o delivery.Outcome) {
	r.outcomes.of(outcomeKey{OutcomeOf(o.Err), r.rules.value(lmtp.RuleOf(o.Err))}).Inc()
	if o.Err == nil {
		r.octets.Add(float64(o.Size))
	}
	if o.Took > 0 {
		r.elapsed.Observe(o.Took.Seconds())
	}
}
