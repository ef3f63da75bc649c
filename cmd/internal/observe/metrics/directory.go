package metrics

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// directories counts what directories answer.
type directories struct {
	backends *memo[string, *backend]
}

// A backend is what is counted of one directory.
type backend struct {
	found, missing, broken prometheus.Counter
	elapsed                prometheus.Observer
}

func newDirectories(f promauto.Factory) directories {
	lookups := f.NewCounterVec(prometheus.CounterOpts{Name: "directory_lookups_total",
		Help: "Lookups of accounts, by backend and result: found, missing, error."}, []string{"backend", "result"})
	elapsed := f.NewHistogramVec(prometheus.HistogramOpts{Name: "directory_lookup_duration_seconds", Buckets: latencies,
		Help: "Time of a lookup of an account, by backend."}, []string{"backend"})
	return directories{newMemo(func(name string) *backend {
		return &backend{
			lookups.WithLabelValues(name, "found"), lookups.WithLabelValues(name, "missing"),
			lookups.WithLabelValues(name, "error"), elapsed.WithLabelValues(name),
		}
	})}
}

// LookedUp counts a question to a backend and its answer. The names of backends are the administrator's.
func (d *directories) LookedUp(name string, elapsed time.Duration, err error) {
	b := d.backends.of(name)
	b.elapsed.Observe(elapsed.Seconds())
	switch {
	case err == nil:
		b.found.Inc()
	case errors.Is(err, directory.ErrNotFound):
		b.missing.Inc()
	default:
		b.broken.Inc()
	}
}
