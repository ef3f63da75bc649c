package admin

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
)

// A chart is drawn by the server: the page needs nothing but HTML and SVG. The drawing is
// stretched to the width there is; words stand outside of it, in HTML.
type chart struct {
	Name   string // an id
	Title  string
	Unit   string
	Max    string // the upper end of the scale
	Middle string
	Series []series
	Hints  []hint
}

// A series is a line or an area.
type series struct {
	Name  string // also its class
	Label string
	Path  string // SVG path data
	Area  bool
}

// A hint says in words what a minute had, when it is pointed at.
type hint struct {
	X, Width float64
	Text     string
}

// The drawing's own coordinates.
const (
	chartWidth  = 720.0
	chartHeight = 120.0
)

// charts are those of the page.
func charts(s *status.Snapshot) []chart {
	return []chart{rateChart(s), latencyChart(s), lostChart(s)}
}

// rateChart is how many recipients were delivered to.
func rateChart(s *status.Snapshot) chart {
	values := valuesOf(s, func(p status.Point) float64 { return float64(p.Delivered) / s.Interval.Seconds() })
	top := niceTop(values)
	return chart{
		Name: "rate", Title: "Delivered", Unit: "recipients a second", Max: number(top), Middle: number(top / 2),
		Series: []series{{Name: "delivered", Label: "delivered", Path: area(values, nil, top), Area: true}},
		Hints:  hints(s, func(c minute) string { return fmt.Sprintf("%d delivered", c.Delivered) }),
	}
}

// latencyChart is how long they took.
func latencyChart(s *status.Snapshot) chart {
	p50 := valuesOf(s, func(p status.Point) float64 { return p.P50.Seconds() })
	p99 := valuesOf(s, func(p status.Point) float64 { return p.P99.Seconds() })
	top := niceTop(p99)
	show := func(seconds float64) string { return status.Took(time.Duration(seconds * float64(time.Second))) }
	return chart{
		Name: "latency", Title: "Latency", Unit: "from content to outcome", Max: show(top), Middle: show(top / 2),
		Series: []series{{Name: "p99", Label: "99 %", Path: line(p99, top)},
			{Name: "p50", Label: "median", Path: line(p50, top)}},
		Hints: hints(s, func(c minute) string { return "99 % within " + status.Took(c.worst) }),
	}
}

// lostChart is how many were deferred and refused, one upon the other.
func lostChart(s *status.Snapshot) chart {
	var refused, both []float64
	for _, m := range minutes(s) {
		refused = append(refused, float64(m.Refused))
		both = append(both, float64(m.Refused+m.Deferred))
	}
	top := niceTop(both)
	return chart{
		Name: "outcomes", Title: "Not delivered", Unit: "recipients a minute", Max: number(top), Middle: number(top / 2),
		Series: []series{
			{Name: "deferred", Label: "deferred", Path: area(both, refused, top), Area: true},
			{Name: "refused", Label: "refused", Path: area(refused, nil, top), Area: true},
		},
		Hints: hints(s, func(c minute) string { return fmt.Sprintf("%d deferred, %d refused", c.Deferred, c.Refused) }),
	}
}

func valuesOf(s *status.Snapshot, of func(status.Point) float64) []float64 {
	values := make([]float64, len(s.Points))
	for i, p := range s.Points {
		values[i] = of(p)
	}
	return values
}

// niceTop is the least of 1, 2 and 5 times a power of ten that no value is above.
func niceTop(values []float64) float64 {
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	if top == 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(top)))
	for _, step := range []float64{1, 2, 5} {
		if top <= step*power {
			return step * power
		}
	}
	return 10 * power
}

func number(v float64) string { return fmt.Sprintf("%.4g", v) }

// xAt and yAt place a value.
func xAt(i, n int) float64 { return chartWidth * float64(i) / float64(max(n-1, 1)) }

func yAt(v, top float64) float64 { return chartHeight * (1 - v/top) }

// line draws values that are not 0, as far as they follow one another; one alone is a dot.
func line(values []float64, top float64) string {
	var b strings.Builder
	drawing := false
	for i, v := range values {
		switch {
		case v == 0:
			drawing = false
			continue
		case !drawing:
			fmt.Fprintf(&b, "M%.1f %.1fh.1", xAt(i, len(values)), yAt(v, top))
		default:
			fmt.Fprintf(&b, "L%.1f %.1f", xAt(i, len(values)), yAt(v, top))
		}
		drawing = true
	}
	return b.String()
}

// area draws what lies between two rows of values; under is nil for the ground.
func area(values, under []float64, top float64) string {
	if len(values) == 0 {
		return ""
	}
	var b strings.Builder
	for i, v := range values {
		letter := "L"
		if i == 0 {
			letter = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", letter, xAt(i, len(values)), yAt(v, top))
	}
	for i := len(values) - 1; i >= 0; i-- {
		ground := 0.0
		if under != nil {
			ground = under[i]
		}
		fmt.Fprintf(&b, "L%.1f %.1f", xAt(i, len(values)), yAt(ground, top))
	}
	return b.String() + "Z"
}

// A minute is some points together.
type minute struct {
	status.Counts
	at    time.Time
	worst time.Duration
}

// minutes are those of the last hour; the last may be shorter.
func minutes(s *status.Snapshot) (list []minute) {
	for points := range slices.Chunk(s.Points, int(time.Minute/s.Interval)) {
		m := minute{at: points[0].At}
		for _, p := range points {
			m.Delivered += p.Delivered
			m.Deferred += p.Deferred
			m.Refused += p.Refused
			m.worst = max(m.worst, p.P99)
		}
		list = append(list, m)
	}
	return list
}

// hints are for each minute.
func hints(s *status.Snapshot, text func(minute) string) (list []hint) {
	all := minutes(s)
	width := chartWidth / float64(max(len(all), 1))
	for i, m := range all {
		list = append(list, hint{X: width * float64(i), Width: width, Text: m.at.Format("15:04") + ": " + text(m)})
	}
	return list
}
