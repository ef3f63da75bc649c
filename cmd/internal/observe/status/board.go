// Package status remembers the last hour of deliveries, for people who want to see how the server
// is: rates, latencies and outcomes in short intervals, the slowest mailboxes, what directories
// answer, and the last failures. All of it is bounded, whatever the server is sent.
package status

import (
	"errors"
	"math"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/histogram"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// Interval is the time that a point of a chart stands for, and Points their number.
const (
	Interval = 10 * time.Second
	Points   = 360
	// Span is how far back a Board remembers.
	Span = Points * Interval
)

// A Board collects. Its methods are the hooks of the packages that do the work; none of them waits.
type Board struct {
	now   func() time.Time
	began time.Time

	mu          sync.Mutex
	points      [Points]point
	open        int // sessions
	inFlight    int // copies
	total       Counts
	slow        slowest
	deferred    failures
	refused     failures
	directories []*directoryState
	reload      Reload
}

// New returns an empty board. now is the clock, time.Now where it is nil.
func New(now func() time.Time) *Board {
	if now == nil {
		now = time.Now
	}
	return &Board{now: now, began: now(), reload: Reload{At: now()}}
}

// A point is one interval.
type point struct {
	number int64 // of the interval since the epoch; a point of another hour is empty
	Counts
	sessions int64
	latency  histogram.Histogram
}

// at returns the point of a time, emptied where it was last used in another hour.
func (b *Board) at(t time.Time) *point {
	number := intervalOf(t)
	p := b.place(number)
	if p.number != number {
		*p = point{number: number}
	}
	return p
}

// intervalOf is the number of the interval that t is in.
func intervalOf(t time.Time) int64 {
	return int64(math.Floor(float64(t.UnixNano()) / float64(Interval)))
}

// place returns where the interval of a number is kept. Numbers are below 0 before 1970, where a machine without a
// battery starts its clock, less the hour that a chart goes back.
func (b *Board) place(number int64) *point { return &b.points[(number%Points+Points)%Points] }

// SessionBegan is lmtp.Hooks.Begin.
func (b *Board) SessionBegan(*lmtp.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open++
	b.at(b.now()).sessions++
}

// SessionEnded is lmtp.Hooks.End.
func (b *Board) SessionEnded(*lmtp.Session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
}

// CopiesBegan is mailbox.Hooks.Begun.
func (b *Board) CopiesBegan(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight += n
}

// CopyEnded goes with mailbox.Hooks.Ended.
func (b *Board) CopyEnded() { b.CopiesBegan(-1) }

// Outcome is delivery.Hooks.Outcome.
func (b *Board) Outcome(o delivery.Outcome) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.at(now)
	p.add(o)
	b.total.add(o)
	if o.Took > 0 {
		p.latency.Add(o.Took)
		b.slow.note(o.Mailbox, o.Took, now)
	}
	switch {
	case o.Err == nil:
	case isTemporary(o.Err):
		b.deferred.add(failureOf(o, now))
	default:
		b.refused.add(failureOf(o, now))
	}
}

// isTemporary: an error that says nothing of itself is.
func isTemporary(err error) bool {
	var e *lmtp.Error
	return !errors.As(err, &e) || e.Temporary()
}

// A Reload is the last time that the configuration was read.
type Reload struct {
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"` // why the one before stayed in force
}

// Reloaded notes a reload that had this outcome.
func (b *Board) Reloaded(err error) {
	r := Reload{At: b.now()}
	if err != nil {
		r.Error = shown(err.Error())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reload = r
}
