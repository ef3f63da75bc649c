package loadtest

import (
	"math"
	"time"
)

// latencies counts durations in classes, each a fifth longer than the one before: as many as there
// are, in constant memory, and right to a fifth.
type latencies struct {
	n       int
	most    time.Duration
	classes [128]int
}

// growth is from class to class; the first ends at ten microseconds, the last at a day.
const growth = 1.2

func class(d time.Duration) int {
	if d <= 10*time.Microsecond {
		return 0
	}
	c := int(math.Ceil(math.Log(float64(d)/float64(10*time.Microsecond)) / math.Log(growth)))
	return min(c, len(latencies{}.classes)-1)
}

// end is the longest duration of a class.
func end(class int) time.Duration {
	return time.Duration(float64(10*time.Microsecond) * math.Pow(growth, float64(class)))
}

func (l *latencies) add(d time.Duration) {
	l.n++
	l.most = max(l.most, d)
	l.classes[class(d)]++
}

// percentile is the duration within which p percent were.
func (l *latencies) percentile(p int) time.Duration {
	seen := 0
	for c, n := range l.classes {
		if seen += n; n > 0 && seen*100 >= l.n*p {
			if c == len(l.classes)-1 {
				return l.most // it has no end
			}
			return min(end(c), l.most)
		}
	}
	return l.most
}

// A bar of a histogram: how many took no longer than Below, and longer than the bar before.
type bar struct {
	Below float64 `json:"within_ms"`
	Count int     `json:"count"`
}

// bars puts four classes together, and leaves empty ends out.
func (l *latencies) bars() []bar {
	bars := []bar{}
	gap := []bar{}
	for c := 0; c < len(l.classes); c += 4 {
		b := bar{Below: ms(end(c + 3))}
		for _, n := range l.classes[c : c+4] {
			b.Count += n
		}
		switch {
		case b.Count > 0:
			bars = append(append(bars, gap...), b)
			gap = gap[:0]
		case len(bars) > 0:
			gap = append(gap, b)
		}
	}
	return bars
}

func ms(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }
