package histogram

import (
	"testing"
	"time"
)

// TestQuantiles: they are right to a fifth, also when two histograms were merged.
func TestQuantiles(t *testing.T) {
	var odd, h Histogram
	for n := range 1000 {
		half := []*Histogram{&h, &odd}[n%2]
		half.Add(time.Duration(n+1) * time.Millisecond)
	}
	h.Merge(&odd)
	for q, want := range map[float64]time.Duration{.5: 500 * time.Millisecond, .95: 950 * time.Millisecond,
		.99: 990 * time.Millisecond} {
		if got := h.Quantile(q); got < want || got > want*6/5 {
			t.Errorf("%g: %s, want %s or a fifth more", q, got, want)
		}
	}
	h.Add(0)
	h.Add(100 * time.Hour)
	total := 0
	for _, b := range h.Bars() {
		total += b.Count
	}
	if total != 1002 || h.Count != 1002 || h.Quantile(1) != 100*time.Hour {
		t.Errorf("%d in all, %d in bars, the longest %s", h.Count, total, h.Quantile(1))
	}
}

// TestEmpty: there is nothing to say of no durations, and no bar.
func TestEmpty(t *testing.T) {
	var h Histogram
	if h.Quantile(.5) != 0 || len(h.Bars()) != 0 {
		t.Errorf("median %s, bars %v", h.Quantile(.5), h.Bars())
	}
}

// TestBars: empty bars are left out at the ends and kept between others.
func TestBars(t *testing.T) {
	var h Histogram
	h.Add(time.Millisecond)
	h.Add(5 * time.Millisecond)
	bars := h.Bars()
	if len(bars) != 3 || bars[0].Count != 1 || bars[1].Count != 0 || bars[2].Count != 1 ||
		bars[0].Within < time.Millisecond || bars[2].Within < 5*time.Millisecond {
		t.Errorf("%v", bars)
	}
}
