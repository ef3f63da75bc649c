package status

import (
	"slices"
	"time"
)

// A Snapshot is how the server is: what the page shows, and doorstep status --json prints.
type Snapshot struct {
	Version  string    `json:"version"`
	Hostname string    `json:"hostname"`
	PID      int       `json:"pid"`
	Now      time.Time `json:"now"`
	Began    time.Time `json:"began"`

	Ready    bool     `json:"ready"`
	Problems []string `json:"problems,omitempty"` // why not
	Panics   int64    `json:"panics"`             // bugs since the server began that cost a delivery, a session or a job

	Sessions int    `json:"sessions"`  // open
	InFlight int    `json:"in_flight"` // copies on their way to the disk
	Total    Counts `json:"total"`     // since the server began
	Hour     Counts `json:"hour"`

	// P50 and P99 are of the last hour: from the end of the content to the outcome.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`

	Interval time.Duration `json:"interval_ns"`
	Points   []Point       `json:"points"` // of the last hour, the oldest first

	Slowest     []SlowMailbox `json:"slowest"`
	Directories []Directory   `json:"directories"`
	Failures    []Failure     `json:"failures"` // the latest first
	Reload      Reload        `json:"reload"`
	Disk        *Disk         `json:"disk,omitempty"`
	Settings    []Setting     `json:"settings"`
}

// Counts are outcomes of recipients.
type Counts struct {
	Delivered int64 `json:"delivered"`
	Deferred  int64 `json:"deferred"`
	Refused   int64 `json:"refused"`
	Octets    int64 `json:"octets"` // delivered
}

// A Point is one interval of the charts.
type Point struct {
	At       time.Time     `json:"at"` // its beginning
	Sessions int64         `json:"sessions"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Counts
}

// A Disk is the room on the file system of the store.
type Disk struct {
	Path       string `json:"path"`
	Free       uint64 `json:"free"` // octets for whom the server runs as
	Size       uint64 `json:"size"` // octets
	FreeInodes uint64 `json:"free_inodes"`
	Inodes     uint64 `json:"inodes"` // 0 where the file system does not count them
}

// A Setting is a key of the configuration in force, without secrets.
type Setting struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Default bool   `json:"default,omitempty"`
}

// Snapshot tells what the board knows; the caller fills in the rest.
func (b *Board) Snapshot() *Snapshot {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Snapshot{
		Now: now, Began: b.began, Sessions: b.open, InFlight: b.inFlight, Total: b.total.told(), Reload: b.reload,
		Interval: Interval,
		// Lists that programs read are empty, never null.
		Slowest:  append([]SlowMailbox{}, b.slow.top(now)...),
		Failures: append(append([]Failure{}, b.deferred.all()...), b.refused.all()...),
		Points:   []Point{}, Directories: []Directory{}, Settings: []Setting{},
	}
	slices.SortFunc(s.Failures, func(x, y Failure) int { return y.At.Compare(x.At) })
	for _, d := range b.directories {
		s.Directories = append(s.Directories, d.Directory)
	}
	b.chart(s, now)
	return s
}

// chart fills in the last hour. The interval that has not ended yet is left out: it would always
// look like a fall.
func (b *Board) chart(s *Snapshot, now time.Time) {
	var hour counts
	var latency histogram
	last := now.UnixNano() / int64(Interval)
	for number := last - Points + 1; number <= last; number++ {
		p := &b.points[number%Points]
		if p.number != number {
			p = &point{number: number}
		}
		hour.delivered += p.delivered
		hour.deferred += p.deferred
		hour.refused += p.refused
		hour.octets += p.octets
		latency.merge(&p.latency)
		if number < last {
			s.Points = append(s.Points, Point{
				At: time.Unix(0, number*int64(Interval)), Sessions: p.sessions, Counts: p.told(),
				P50: p.latency.quantile(.5), P99: p.latency.quantile(.99),
			})
		}
	}
	s.Hour, s.P50, s.P99 = hour.told(), latency.quantile(.5), latency.quantile(.99)
}

func (c counts) told() Counts { return Counts{c.delivered, c.deferred, c.refused, c.octets} }

// Rate is how many recipients were delivered to a second, over the last so many whole intervals.
func (s *Snapshot) Rate(intervals int) float64 {
	points := s.Points[max(len(s.Points)-intervals, 0):]
	var n int64
	for _, p := range points {
		n += p.Delivered
	}
	if len(points) == 0 {
		return 0
	}
	return float64(n) / (float64(len(points)) * s.Interval.Seconds())
}
