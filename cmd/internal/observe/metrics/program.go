package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// program counts what the program itself does.
type program struct {
	reloads  *prometheus.CounterVec // by result
	reloaded prometheus.Gauge
	lastGood prometheus.Gauge

	unresponsive *prometheus.GaugeVec // by what it is
}

func newProgram(f promauto.Factory) program {
	p := program{
		reloads: f.NewCounterVec(prometheus.CounterOpts{Name: "config_reloads_total",
			Help: "Reloads of the configuration, by result: success, failure."}, []string{"result"}),
		reloaded: f.NewGauge(prometheus.GaugeOpts{Name: "config_last_reload_successful",
			Help: "1 where the configuration in force is the one on disk when it was last read, 0 where that had a mistake " +
				"and the old one stayed."}),
		lastGood: f.NewGauge(prometheus.GaugeOpts{Name: "config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in force was read."}),
		unresponsive: f.NewGaugeVec(prometheus.GaugeOpts{Name: "unresponsive",
			Help: "1 where a file system or a directory does not answer, 0 where it does."}, []string{"what"}),
	}
	for _, result := range []string{"success", "failure"} {
		p.reloads.WithLabelValues(result) // shown as 0 from the start
	}
	p.reloaded.Set(1)
	p.lastGood.SetToCurrentTime()
	return p
}

// Reloaded counts a reload that had this outcome.
func (p *program) Reloaded(err error, at time.Time) {
	if err != nil {
		p.reloads.WithLabelValues("failure").Inc()
		p.reloaded.Set(0)
		return
	}
	p.reloads.WithLabelValues("success").Inc()
	p.reloaded.Set(1)
	p.lastGood.Set(float64(at.UnixMilli()) / 1000)
}

// Unresponsive notes whether a file system or a directory answers. Their names are the administrator's.
func (p *program) Unresponsive(what string, hangs bool) {
	value := 0.0
	if hangs {
		value = 1
	}
	p.unresponsive.WithLabelValues(what).Set(value)
}
