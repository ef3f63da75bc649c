package status

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A clock is what a test says it is.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

var session = &lmtp.Session{ID: "s", Remote: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 25}}

func outcome(mailbox string, took time.Duration, err error) delivery.Outcome {
	return delivery.Outcome{Session: session, Transaction: "s.1",
		To: address.Address{Local: mailbox, Domain: "example.org"}, Mailbox: mailbox, Size: 100, Err: err, Took: took}
}

var (
	full = &lmtp.Error{Code: 452, Enhanced: "4.3.1", Text: "mail system is full", Rule: "disk",
		Cause: errors.New("ENOSPC")}
	nobod = &lmtp.Error{Code: 550, Enhanced: "5.1.1", Text: "no such mailbox here", Rule: "account"}
)

// TestHour: what happened is in its interval for an hour, and then gone.
func TestHour(t *testing.T) {
	c := newClock()
	b := New(c.now)
	for range 3 {
		b.Outcome(outcome("alice", 4*time.Millisecond, nil))
	}
	b.Outcome(outcome("alice", time.Second, full))
	b.Outcome(outcome("", 0, nobod))
	c.t = c.t.Add(Interval)
	s := b.Snapshot()
	last := s.Points[len(s.Points)-1]
	if len(s.Points) != Points-1 || last.Delivered != 3 || last.Deferred != 1 || last.Refused != 1 || last.Octets != 300 {
		t.Errorf("%d points, the last %+v", len(s.Points), last)
	}
	if s.Hour != (Counts{3, 1, 1, 300}) || s.Total != s.Hour {
		t.Errorf("hour %+v, total %+v", s.Hour, s.Total)
	}
	if s.P50 < 4*time.Millisecond || s.P50 > 5*time.Millisecond || s.P99 < time.Second || s.P99 > 1250*time.Millisecond {
		t.Errorf("median %v, 99 %% %v", s.P50, s.P99)
	}
	if got := s.Rate(1); got != .3 {
		t.Errorf("rate %v", got)
	}
	c.t = c.t.Add(Span)
	if s = b.Snapshot(); s.Hour != (Counts{}) || s.Total.Delivered != 3 || len(s.Slowest) != 0 {
		t.Errorf("an hour later: %+v, %+v, %+v", s.Hour, s.Total, s.Slowest)
	}
	c.t = c.t.Add(-3 * Span) // the clock was wrong
	b.Outcome(outcome("alice", time.Millisecond, nil))
	if s = b.Snapshot(); s.Hour.Delivered != 1 {
		t.Errorf("with the clock set back: %+v", s.Hour)
	}
}

// TestSlowest: those with the slowest delivery are kept, however many mailboxes there are.
func TestSlowest(t *testing.T) {
	c := newClock()
	b := New(c.now)
	for i := range 10 * slowKept {
		b.Outcome(outcome(fmt.Sprint("quick", i), time.Duration(i)*time.Microsecond, nil))
	}
	b.Outcome(outcome("slow", time.Minute, nil))
	b.Outcome(outcome("slow", time.Second, nil))
	for i := range 10 * slowKept {
		b.Outcome(outcome(fmt.Sprint("quicker", i), time.Microsecond, nil))
	}
	s := b.Snapshot()
	if len(s.Slowest) != slowShown || len(b.slow.kept) > slowKept {
		t.Fatalf("%d shown, %d kept", len(s.Slowest), len(b.slow.kept))
	}
	if m := s.Slowest[0]; m.Mailbox != "slow" || m.Worst != time.Minute || m.Deliveries != 2 ||
		m.Mean != 30500*time.Millisecond {
		t.Errorf("slowest %+v", m)
	}
	c.t = c.t.Add(Span + time.Second)
	b.Outcome(outcome("slow", time.Millisecond, nil))
	if s = b.Snapshot(); len(s.Slowest) != 1 || s.Slowest[0].Worst != time.Millisecond {
		t.Errorf("an hour later %+v", s.Slowest)
	}
}

// TestFailures: a flood of refusals does not hide what is broken, and octets are escaped.
func TestFailures(t *testing.T) {
	c := newClock()
	b := New(c.now)
	hostile := outcome("alice", time.Second,
		&lmtp.Error{Code: 451, Enhanced: "4.3.0", Text: "local error",
			Cause: errors.New("\x1b[2J\xff<script>" + strings.Repeat("x", 1000))})
	b.Outcome(hostile)
	for range 1000 {
		c.t = c.t.Add(time.Millisecond)
		b.Outcome(outcome("", 0, nobod))
	}
	s := b.Snapshot()
	if len(s.Failures) != failuresKept+1 {
		t.Fatalf("%d failures", len(s.Failures))
	}
	first, last := s.Failures[0], s.Failures[len(s.Failures)-1]
	if first.Rule != "account" || first.Reply != "550 5.1.1" || first.Peer != "192.0.2.1" {
		t.Errorf("latest %+v", first)
	}
	if last.Rule != "internal" || strings.IndexByte(last.Reason, '\x1b') >= 0 ||
		strings.IndexByte(last.Reason, 0xff) >= 0 || len(last.Reason) > 2*maxShown {
		t.Errorf("first %+v", last)
	}
}

func TestDirectories(t *testing.T) {
	b := New(newClock().now)
	b.Serve([]string{"users", "sql"})
	b.LookedUp("users", time.Millisecond, directory.ErrNotFound)
	b.LookedUp("sql", time.Millisecond, nil)
	b.LookedUp("sql", time.Millisecond, errors.New("connection refused\n"))
	s := b.Snapshot()
	if len(s.Directories) != 2 || !s.Directories[0].OK || s.Directories[1].OK || s.Directories[1].Errors != 1 ||
		strings.Contains(s.Directories[1].LastError, "\n") {
		t.Errorf("%+v", s.Directories)
	}
	b.Serve([]string{"ldap", "users"}) // a reload; a session that began before asks on
	b.LookedUp("sql", time.Millisecond, errors.New("sql: database is closed"))
	s = b.Snapshot()
	if len(s.Directories) != 2 || s.Directories[0].Backend != "ldap" || s.Directories[1].Backend != "users" ||
		s.Directories[1].Lookups != 1 {
		t.Errorf("after a reload: %+v", s.Directories)
	}
}

// TestPrint: the terminal shows it all, in as many columns as there are.
func TestPrint(t *testing.T) {
	c := newClock()
	b := New(c.now)
	b.Outcome(outcome("alice", 4*time.Millisecond, nil))
	b.Outcome(outcome("alice", time.Second, full))
	b.Serve([]string{"sql"})
	b.LookedUp("sql", time.Millisecond, errors.New("gone"))
	b.Reloaded(errors.New("line 3"))
	c.t = c.t.Add(Interval)
	s := b.Snapshot()
	s.Problems = []string{"store is full"}
	for _, width := range []int{20, 80, 300} {
		var out bytes.Buffer
		if err := s.Print(&out, width); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"NOT READY", "store is full", "line 3", "1 delivered (100 octets), 1 deferred",
			"█ 0.1/s", "FAILS: gone", "452 4.3.1", "mail system is full: ENOSPC"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%d columns: no %q in\n%s", width, want, &out)
			}
		}
	}
}

// TestClockNearTheEpoch: a machine without a battery starts its clock in 1970, or before it where it is west of
// Greenwich; the charts go back an hour from there.
func TestClockNearTheEpoch(t *testing.T) {
	for _, at := range []time.Duration{-50 * time.Hour, -Span, -time.Nanosecond, 0, Interval, Span - Interval} {
		now := time.Unix(0, 0).Add(at)
		b := New(func() time.Time { return now })
		b.SessionBegan(nil)
		now = now.Add(Interval)
		s := b.Snapshot()
		if len(s.Points) != Points-1 || s.Points[len(s.Points)-1].Sessions != 1 {
			t.Errorf("%s: %d points, the last has %d sessions, want 1", at, len(s.Points), s.Points[len(s.Points)-1].Sessions)
		}
	}
}
