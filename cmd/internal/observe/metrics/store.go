package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/doorstep-mail/doorstep/mailbox"
)

// store counts what the disk does.
type store struct {
	staged, synced, directorySynced, ended func(time.Duration, error)

	shared   prometheus.Histogram
	inFlight prometheus.Gauge
}

func newStore(f promauto.Factory) store {
	failures := f.NewCounterVec(prometheus.CounterOpts{Name: "store_errors_total",
		Help: "Errors of the store, by the step that failed: stage, sync, directory_sync, commit. A copy that fails counts " +
			"under commit, and under the step that was to blame if it is one of the others."}, []string{"step"})
	// step measures a step, and counts its failures.
	step := func(name, help string) func(time.Duration, error) {
		elapsed := f.NewHistogram(prometheus.HistogramOpts{Name: name + "_duration_seconds", Help: help, Buckets: latencies})
		failed := failures.WithLabelValues(name)
		return func(took time.Duration, err error) {
			elapsed.Observe(took.Seconds())
			if err != nil {
				failed.Inc()
			}
		}
	}
	return store{
		staged:          step("stage", "Time to write a copy into tmp/, without its sync."),
		synced:          step("sync", "Time of a sync of a file."),
		directorySynced: step("directory_sync", "Time of a sync of a directory."),
		ended:           step("commit", "Time of a copy from memory to durable, waiting included."),
		shared: f.NewHistogram(prometheus.HistogramOpts{Name: "directory_sync_copies",
			Help: "Copies that shared a sync of a directory.", Buckets: prometheus.ExponentialBuckets(1, 2, 8)}),
		inFlight: f.NewGauge(prometheus.GaugeOpts{Name: "copies_in_flight",
			Help: "Copies on their way from memory to durable."}),
	}
}

// Store returns the hooks of the store.
func (s *store) Store() mailbox.Hooks {
	return mailbox.Hooks{
		Staged: s.staged,
		Synced: s.synced,
		DirectorySynced: func(took time.Duration, copies int, err error) {
			s.directorySynced(took, err)
			s.shared.Observe(float64(copies))
		},
		Begun: func(copies int) { s.inFlight.Add(float64(copies)) },
		Ended: func(took time.Duration, err error) {
			s.inFlight.Dec()
			s.ended(took, err)
		},
	}
}
