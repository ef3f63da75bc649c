// Package metrics counts what Doorstep does, for Prometheus. No label is an address, and each label has few values.
package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics is everything that is counted. Its methods are the hooks of the packages that do the work.
type Metrics struct {
	registry *prometheus.Registry
	factory  promauto.Factory // registers under our prefix

	sessions
	recipients
	store
	directories
	outgoing
	program
}

// latencies are the bounds of histograms of time, in seconds: from a sync of a fast disk to the
// longest that a client waits.
var latencies = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60,
	300}

// New returns the metrics of a program of this version, in a registry of their own.
func New(version string) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(prometheus.WrapRegistererWithPrefix("doorstep_", registry))
	f.NewGauge(prometheus.GaugeOpts{Name: "build_info", Help: "1; the version of Doorstep and of Go that built it.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}}).Set(1)
	return &Metrics{registry, f, newSessions(f), newRecipients(f), newStore(f), newDirectories(f), newOutgoing(f),
		newProgram(f)}
}

// Registry is where Prometheus finds the metrics.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Func adds a gauge that is asked at each scrape. ask must return at once.
func (m *Metrics) Func(name, help string, ask func() float64) {
	m.factory.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, ask)
}

// Panics counts the panics that were recovered; count is asked at each scrape.
func (m *Metrics) Panics(count func() int64) {
	m.count("panics_total",
		"Bugs that cost a delivery, a session or a job, and not the server: the log has each with its stack.", count)
}

// LinesLost counts the lines of the log that were lost; count is asked at each scrape.
func (m *Metrics) LinesLost(count func() int64) {
	m.count("log_lines_lost_total",
		"Lines of the log that could not be written: the reader has gone, or the disk is full.", count)
}

func (m *Metrics) count(name, help string, count func() int64) {
	m.factory.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(count()) })
}
