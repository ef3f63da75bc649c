package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What the program itself does.

func (m *Metrics) makeProgram() {
	m.reloads = m.counters("config_reloads_total", "Reloads of the configuration, by result: success, failure.", "result")
	m.reloaded = m.gauge("config_last_reload_successful",
		"1 where the configuration in force is the one on disk when it was last read, 0 where that had a mistake and the "+
			"old one stayed.", nil)
	m.lastGood = m.gauge("config_last_reload_success_timestamp_seconds", "When the configuration in force was read.", nil)
	for _, result := range []string{"success", "failure"} {
		m.reloads.WithLabelValues(result)
	}
	m.reloaded.Set(1)
	m.lastGood.SetToCurrentTime()
}

// Reloaded counts a reload that had this outcome.
func (m *Metrics) Reloaded(err error, at time.Time) {
	if err != nil {
		m.reloads.WithLabelValues("failure").Inc()
		m.reloaded.Set(0)
		return
	}
	m.reloads.WithLabelValues("success").Inc()
	m.reloaded.Set(1)
	m.lastGood.Set(float64(at.UnixMilli()) / 1000)
}

// Panics counts the panics that were recovered.
func (m *Metrics) Panics(so func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "panics_total",
		Help: "Bugs that cost a delivery, a session or a job, and not the server: the log has each with its stack.",
	}, func() float64 { return float64(so()) }))
}

// LinesLost counts the lines of the log that nobody will read.
func (m *Metrics) LinesLost(so func() int64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: namespace, Name: "log_lines_lost_total",
		Help: "Lines of the log that could not be written: the reader has gone, or the disk is full.",
	}, func() float64 { return float64(so()) }))
}
