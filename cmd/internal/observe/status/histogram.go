package status

import (
	"math"
	"time"
)

// A histogram counts times in steps that grow by a quarter: a quantile is right to that.
type histogram [80]uint32

const (
	shortest = 20 * time.Microsecond // the bound of the first step
	growth   = 1.25
)

// add counts a time.
func (h *histogram) add(d time.Duration) { h[step(d)]++ }

func step(d time.Duration) int {
	if d <= shortest {
		return 0
	}
	n := int(math.Ceil(math.Log(float64(d)/float64(shortest)) / math.Log(growth)))
	return min(n, len(histogram{})-1)
}

// merge adds the counts of another.
func (h *histogram) merge(other *histogram) {
	for i := range h {
		h[i] += other[i]
	}
}

// quantile returns the time that a share q of all stay within, 0 where there are none.
func (h *histogram) quantile(q float64) time.Duration {
	var total uint64
	for _, n := range h {
		total += uint64(n)
	}
	if total == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(total)))
	var seen uint64
	for i, n := range h {
		if seen += uint64(n); seen >= rank {
			return time.Duration(float64(shortest) * math.Pow(growth, float64(i)))
		}
	}
	return 0
}
