package loadtest

import (
	"testing"
	"time"
)

// TestLatencies: classes are right to a fifth.
func TestLatencies(t *testing.T) {
	var l latencies
	for n := range 1000 {
		l.add(time.Duration(n+1) * time.Millisecond)
	}
	for p, want := range map[int]time.Duration{50: 500 * time.Millisecond, 95: 950 * time.Millisecond,
		99: 990 * time.Millisecond} {
		if got := l.percentile(p); got < want || got > want*6/5 {
			t.Errorf("%d%%: %s, want %s or a fifth more", p, got, want)
		}
	}
	l.add(0)
	l.add(100 * time.Hour)
	total := 0
	for _, b := range l.bars() {
		total += b.Count
	}
	if total != 1002 || l.percentile(100) != 100*time.Hour {
		t.Errorf("%d in all, the longest %s", total, l.percentile(100))
	}
}
