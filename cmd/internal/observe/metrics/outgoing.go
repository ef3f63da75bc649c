package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
)

// outgoing counts mail of our own.
type outgoing struct {
	reports, submissions *prometheus.CounterVec // by outcome
	submitted            prometheus.Histogram
}

func newOutgoing(f promauto.Factory) outgoing {
	o := outgoing{
		reports: f.NewCounterVec(prometheus.CounterOpts{Name: "reports_total",
			Help: "Success reports that were promised, each on one recipient, by what became of them: queued at first, and " +
				"sent, refused, expired, damaged or no_smtputf8 in the end; lost; or dropped at once because of the rate."},
			[]string{"outcome"}),
		submissions: f.NewCounterVec(prometheus.CounterOpts{Name: "submissions_total",
			Help: "Attempts to hand a message to the submission server, by outcome: sent, deferred, uncertain, refused."},
			[]string{"outcome"}),
		submitted: f.NewHistogram(prometheus.HistogramOpts{Name: "submission_duration_seconds", Buckets: latencies,
			Help: "Time of an attempt to hand a message to the submission server."}),
	}
	for _, ended := range []outbox.Outcome{
		outbox.Queued, outbox.Lost, outbox.Sent, outbox.Refused, outbox.Expired, outbox.Damaged,
		outbox.TooMany,
	} {
		o.reports.WithLabelValues(string(ended)) // shown as 0 from the start
	}
	for _, outcome := range []outbox.Outcome{outbox.Sent, outbox.Deferred, outbox.Uncertain, outbox.Refused} {
		o.submissions.WithLabelValues(string(outcome))
	}
	return o
}

// Outbox returns the hooks of the outbox.
func (o *outgoing) Outbox() outbox.Hooks {
	return outbox.Hooks{
		Report: func(outcome outbox.Outcome, recipients int) {
			o.reports.WithLabelValues(string(outcome)).Add(float64(recipients))
		},
		Submission: func(outcome outbox.Outcome, took time.Duration) {
			o.submissions.WithLabelValues(string(outcome)).Inc()
			o.submitted.Observe(took.Seconds())
		},
	}
}

// Waiting adds the gauges of an outbox, which is asked at each scrape; there are none where it is nil, so that no
// alert fires for what is not wanted.
func (m *Metrics) Waiting(ask func() *outbox.State) {
	gauge := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	prometheus.WrapRegistererWithPrefix("doorstep_", m.registry).MustRegister(&waiting{
		ask:     ask,
		entries: gauge("outbox_entries", "Reports that wait for the submission server, each on one recipient."),
		octets:  gauge("outbox_bytes", "Octets of what is in the outbox."),
		oldest:  gauge("outbox_oldest_seconds", "How long the oldest report has waited; 0 where none does."),
		offered: gauge("dsn_offered", "1 where clients may ask for reports of success, 0 where that is withdrawn."),
	})
}

// waiting is a prometheus.Collector.
type waiting struct {
	ask                              func() *outbox.State
	entries, octets, oldest, offered *prometheus.Desc
}

// Describe says which gauges there may be.
func (w *waiting) Describe(to chan<- *prometheus.Desc) {
	for _, gauge := range []*prometheus.Desc{w.entries, w.octets, w.oldest, w.offered} {
		to <- gauge
	}
}

// Collect asks.
func (w *waiting) Collect(to chan<- prometheus.Metric) {
	s := w.ask()
	if s == nil {
		return
	}
	set := func(gauge *prometheus.Desc, value float64) {
		to <- prometheus.MustNewConstMetric(gauge, prometheus.GaugeValue, value)
	}
	age, offered := 0.0, 0.0
	if !s.Oldest.IsZero() {
		age = time.Since(s.Oldest).Seconds()
	}
	if s.Offers {
		offered = 1
	}
	set(w.entries, float64(s.Entries))
	set(w.octets, float64(s.Octets))
	set(w.oldest, age)
	set(w.offered, offered)
}
