package metrics

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// What directories answer.

// A backend is what is counted of one.
type backend struct {
	found, missing, broken prometheus.Counter
	took                   prometheus.Observer
}

func (m *Metrics) makeDirectories() {
	lookups := m.counters("directory_lookups_total", "Lookups of accounts, by backend and result: found, missing, error.",
		"backend", "result")
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "directory_lookup_duration_seconds", Help: "Time of a lookup of an account, by backend.",
		Buckets: latencies,
	}, []string{"backend"})
	m.registry.MustRegister(took)
	m.backends.make = func(name string) *backend {
		return &backend{
			lookups.WithLabelValues(name, "found"), lookups.WithLabelValues(name, "missing"),
			lookups.WithLabelValues(name, "error"),
			took.WithLabelValues(name),
		}
	}
}

// LookedUp is told of a question to a backend. The names of backends are the administrator's.
func (m *Metrics) LookedUp(name string, took time.Duration, err error) {
	b := m.backends.of(name)
	b.took.Observe(took.Seconds())
	switch {
	case err == nil:
		b.found.Inc()
	case errors.Is(err, directory.ErrNotFound):
		b.missing.Inc()
	default:
		b.broken.Inc()
	}
}
