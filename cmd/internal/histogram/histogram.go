// Package histogram counts durations in constant memory, for quantiles that are right to a fifth.
package histogram

import (
	"math"
	"time"
)

const (
	shortest = 10 * time.Microsecond // the end of the first class; that of the last is a day
	growth   = 1.2                   // from the end of a class to the end of the next
	classes  = 128
)

// A Histogram is ready for use as its zero value. It is not safe for concurrent use.
type Histogram struct {
	Count   int
	Longest time.Duration
	classes [classes]uint32
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	class := 0
	if d > shortest {
		class = int(math.Ceil(math.Log(float64(d)/float64(shortest)) / math.Log(growth)))
	}
	h.Count++
	h.Longest = max(h.Longest, d)
	h.classes[min(class, classes-1)]++
}

// Merge adds the counts of another.
func (h *Histogram) Merge(other *Histogram) {
	h.Count += other.Count
	h.Longest = max(h.Longest, other.Longest)
	for class, n := range other.classes {
		h.classes[class] += n
	}
}

// Quantile returns the duration that a share q of all stayed within, 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank, seen := uint64(math.Ceil(q*float64(h.Count))), uint64(0)
	for class, n := range h.classes[:classes-1] { // the last has no end
		if seen += uint64(n); n > 0 && seen >= rank {
			return min(end(class), h.Longest)
		}
	}
	return h.Longest
}

// end is the longest duration of a class.
func end(class int) time.Duration {
	return time.Duration(float64(shortest) * math.Pow(growth, float64(class)))
}

// A Bar is a column of a chart: how many took no longer than Within, and longer than the bar before.
type Bar struct {
	Within time.Duration
	Count  int
}

// Bars puts four classes together each, and leaves empty ends out.
func (h *Histogram) Bars() []Bar {
	var bars []Bar
	last := 0 // bars up to the last that is not empty
	for class := 0; class < classes; class += 4 {
		b := Bar{Within: end(class + 3)}
		for _, n := range h.classes[class : class+4] {
			b.Count += int(n)
		}
		if b.Count > 0 || len(bars) > 0 {
			bars = append(bars, b)
		}
		if b.Count > 0 {
			last = len(bars)
		}
	}
	return bars[:last]
}
