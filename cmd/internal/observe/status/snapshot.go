package status

import (
	"slices"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/histogram"
	"github.com/doorstep-mail/doorstep/delivery"
)

// A Snapshot is how the server is: what the page shows, and doorstep status --json prints.
type Snapshot struct {
	Program
	Health
	Traffic
	Slowest     []SlowMailbox `json:"slowest"`
	Directories []Directory   `json:"directories"`
	Failures    []Failure     `json:"failures"` // the latest first
	Reload      Reload        `json:"reload"`
	Disk        *Disk         `json:"disk,omitempty"`
	Outbox      *Outbox       `json:"outbox,omitempty"` // nil: no reports are promised
	State       *State        `json:"state,omitempty"`  // nil: nothing is remembered
	Settings    []Setting     `json:"settings"`
}

// Program says which server it is.
type Program struct {
	Version  string    `json:"version"`
	Hostname string    `json:"hostname"`
	PID      int       `json:"pid"`
	Now      time.Time `json:"now"`
	Began    time.Time `json:"began"`
}

// Health says whether mail is taken.
type Health struct {
	Ready    bool     `json:"ready"`
	Problems []string `json:"problems,omitempty"` // why not
	Panics   int64    `json:"panics"`             // bugs since the server began that cost a delivery, a session or a job
}

// Traffic is what the server did: since it began, and in the last hour.
type Traffic struct {
	Sessions int    `json:"sessions"`  // open
	InFlight int    `json:"in_flight"` // copies on their way to the disk
	Total    Counts `json:"total"`     // since the server began
	Hour     Counts `json:"hour"`

	// P50 and P99 are of the last hour: from the end of the content to the outcome.
	P50 time.Duration `json:"p50_ns"`
	P99 time.Duration `json:"p99_ns"`

	Interval time.Duration `json:"interval_ns"`
	Points   []Point       `json:"points"` // of the last hour, the oldest first
}

// Counts are outcomes of recipients.
type Counts struct {
	Delivered int64 `json:"delivered"`
	Deferred  int64 `json:"deferred"`
	Refused   int64 `json:"refused"`
	Octets    int64 `json:"octets"` // delivered
}

func (c *Counts) add(o delivery.Outcome) {
	switch {
	case o.Err == nil:
		c.Delivered++
		c.Octets += o.Size
	case isTemporary(o.Err):
		c.Deferred++
	default:
		c.Refused++
	}
}

func (c *Counts) merge(other Counts) {
	c.Delivered += other.Delivered
	c.Deferred += other.Deferred
	c.Refused += other.Refused
	c.Octets += other.Octets
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
	Free       uint64 `json:"free"` // octets for the user that the server runs as
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

// Snapshot returns what the board knows; the caller fills in the rest.
func (b *Board) Snapshot() *Snapshot {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Snapshot{
		Program: Program{Now: now, Began: b.began},
		Traffic: b.traffic(now),
		Reload:  b.reload,
		// Lists that programs read are empty, never null.
		Slowest:     append([]SlowMailbox{}, b.slow.top(now)...),
		Failures:    append(append([]Failure{}, b.deferred.all()...), b.refused.all()...),
		Directories: []Directory{}, Settings: []Setting{},
	}
	slices.SortFunc(s.Failures, func(x, y Failure) int { return y.At.Compare(x.At) })
	for _, d := range b.directories {
		s.Directories = append(s.Directories, d.Directory)
	}
	return s
}

// traffic returns the charts, without the interval that has not ended yet: it would always look like a fall. b.mu is
// held.
func (b *Board) traffic(now time.Time) Traffic {
	t := Traffic{Sessions: b.open, InFlight: b.inFlight, Total: b.total, Interval: Interval, Points: []Point{}}
	var latency histogram.Histogram
	last := intervalOf(now)
	for number := last - Points + 1; number <= last; number++ {
		p := b.place(number)
		if p.number != number {
			p = &point{number: number}
		}
		t.Hour.merge(p.Counts)
		latency.Merge(&p.latency)
		if number < last {
			t.Points = append(t.Points, Point{
				At: time.Unix(0, number*int64(Interval)), Sessions: p.sessions, Counts: p.Counts,
				P50: p.latency.Quantile(.5), P99: p.latency.Quantile(.99),
			})
		}
	}
	t.P50, t.P99 = latency.Quantile(.5), latency.Quantile(.99)
	return t
}

// Rate returns how many recipients were delivered to per second, over the last whole intervals.
func (t *Traffic) Rate(intervals int) float64 {
	points := t.Points[max(len(t.Points)-intervals, 0):]
	var n int64
	for _, p := range points {
		n += p.Delivered
	}
	if len(points) == 0 {
		return 0
	}
	return float64(n) / (float64(len(points)) * t.Interval.Seconds())
}
