package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doorstep-mail/doorstep/mailbox"
)

// What the disk does.

func (m *Metrics) makeStore() {
	m.staged = m.histogram("stage_duration_seconds", "Time to write a copy into tmp/, without its sync.", latencies)
	m.synced = m.histogram("sync_duration_seconds", "Time of a sync of a file.", latencies)
	m.directory = m.histogram("directory_sync_duration_seconds", "Time of a sync of a directory.", latencies)
	m.shared = m.histogram("directory_sync_copies", "Copies that shared a sync of a directory.",
		[]float64{1, 2, 4, 8, 16, 32, 64, 128})
	m.ended = m.histogram("commit_duration_seconds", "Time of a copy from memory to durable, waiting included.", latencies)
	m.inFlight = m.gauge("copies_in_flight", "Copies on their way from memory to durable.", nil)
	m.failures = m.counters("store_errors_total",
		"Errors of the store, by the step that failed: stage, sync, directory_sync, commit. A copy that fails counts under "+
			"commit, and under the step that was to blame if it is one of the others.", "step")
	for _, step := range []string{"stage", "sync", "directory_sync", "commit"} {
		m.failures.WithLabelValues(step)
	}
}

// Store are the hooks of the store.
func (m *Metrics) Store() mailbox.Hooks {
	directory, commit := m.step("directory_sync", m.directory), m.step("commit", m.ended)
	return mailbox.Hooks{
		Staged: m.step("stage", m.staged),
		Synced: m.step("sync", m.synced),
		DirectorySynced: func(took time.Duration, copies int, err error) {
			directory(took, err)
			m.shared.Observe(float64(copies))
		},
		Begun: func(copies int) { m.inFlight.Add(float64(copies)) },
		Ended: func(took time.Duration, err error) {
			m.inFlight.Dec()
			commit(took, err)
		},
	}
}

// step measures a step, and counts its failures.
func (m *Metrics) step(name string, h prometheus.Histogram) func(time.Duration, error) {
	failed := m.failures.WithLabelValues(name)
	return func(took time.Duration, err error) {
		h.Observe(took.Seconds())
		if err != nil {
			failed.Inc()
		}
	}
}
