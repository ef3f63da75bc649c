package metrics

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// What directories answer.

func (m *Metrics) makeDirectories() {
	m.lookups = m.counters("directory_lookups_total", "Lookups of accounts, by backend and result: found, missing, error.", "backend", "result")
	m.lookup = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "directory_lookup_duration_seconds", Help: "Time of a lookup of an account, by backend.", Buckets: latencies,
	}, []string{"backend"})
	m.registry.MustRegister(m.lookup)
}

// LookedUp is directory.Chain's Observe. The names of backends are the administrator's.
func (m *Metrics) LookedUp(backend string, took time.Duration, err error) {
	m.lookup.WithLabelValues(backend).Observe(took.Seconds())
	result := "error"
	switch {
	case err == nil:
		result = "found"
	case errors.Is(err, directory.ErrNotFound):
		result = "missing"
	}
	m.lookups.WithLabelValues(backend, result).Inc()
}
