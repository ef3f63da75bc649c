package metrics

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// TestLabelsAreFew: whatever rules code of others names, there are no more values than are kept.
func TestLabelsAreFew(t *testing.T) {
	m := New("test")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 1000 {
				m.Outcome(delivery.Outcome{Err: &lmtp.Error{Code: 451, Rule: fmt.Sprint("rule", i)}})
			}
		})
	}
	group.Wait()
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != "doorstep_recipients_total" {
			continue
		}
		if n := len(f.GetMetric()); n > 70 || n < 60 {
			t.Errorf("%d series", n)
		}
		for _, series := range f.GetMetric() {
			total += series.GetCounter().GetValue()
		}
	}
	if total != 4000 {
		t.Errorf("%v recipients are counted, want 4000", total)
	}
}

func TestOutcomeOf(t *testing.T) {
	for want, err := range map[string]error{
		Delivered: nil, Deferred: errors.New("x"), Refused: fmt.Errorf("x: %w", &lmtp.Error{Code: 550}),
	} {
		if got := OutcomeOf(err); got != want {
			t.Errorf("%v is %s, want %s", err, got, want)
		}
	}
}

// TestReloads: a failure is seen until one succeeds, whose time is shown.
func TestReloads(t *testing.T) {
	m := New("test")
	at := time.Unix(1795550000, 0)
	m.Reloaded(nil, at)
	m.Reloaded(errors.New("x"), at.Add(time.Hour))
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "doorstep_config_last") {
			got[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if got["doorstep_config_last_reload_successful"] != 0 ||
		got["doorstep_config_last_reload_success_timestamp_seconds"] != 1795550000 {
		t.Errorf("%v", got)
	}
}
