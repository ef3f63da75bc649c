// Package metrics counts what Doorstep does, for Prometheus. Nobody's address is a label, and the
// values of each label are few.
package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are all that is counted. Its methods are the hooks of the packages that do the work.
type Metrics struct {
	registry *prometheus.Registry

	sessions  *prometheus.CounterVec // protocol
	open      *prometheus.GaugeVec   // protocol
	replies   memo[replyKey, prometheus.Counter]
	messages  prometheus.Counter
	received  prometheus.Counter // octets
	delivered prometheus.Counter // octets

	recipients memo[outcomeKey, prometheus.Counter]
	took       prometheus.Histogram
	rules      bounded

	staged    prometheus.Histogram
	synced    prometheus.Histogram
	directory prometheus.Histogram
	ended     prometheus.Histogram
	shared    prometheus.Histogram
	inFlight  prometheus.Gauge
	failures  *prometheus.CounterVec // step

	backends memo[string, *backend]

	reloads  *prometheus.CounterVec // result
	reloaded prometheus.Gauge
	lastGood prometheus.Gauge
}

// latencies are the bounds of histograms of time, in seconds: from a sync of a fast disk to the
// longest that a client waits.
var latencies = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60,
	300}

// New gives metrics of a program of this version.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), rules: bounded{most: 64}}
	m.makeSessions()
	m.makeDeliveries()
	m.makeStore()
	m.makeDirectories()
	m.makeProgram()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.gauge("build_info", "1; the version of Doorstep and of Go that built it.",
		prometheus.Labels{"version": version, "goversion": runtime.Version()}).Set(1)
	return m
}

// Registry is where Prometheus finds them, and where others may add what is asked at each scrape.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

const namespace = "doorstep"

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) gauge(name, help string, labels prometheus.Labels) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels})
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) histogram(name, help string, bounds []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: bounds})
	m.registry.MustRegister(h)
	return h
}

// Func adds a gauge that is asked at each scrape. f must return at once.
func (m *Metrics) Func(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, f))
}
