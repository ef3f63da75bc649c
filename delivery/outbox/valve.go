package outbox

import (
	"context"
	"errors"
	"time"
)

// A valve decides whether more may come. The duty that it refuses is the MTA's again, who takes it back in its next
// session: no report is lost, and no mail deferred.
type valve struct {
	closed  string // why, in a word; "": open
	detail  string
	failing error // the last attempt
	barred  bool  // because the server does not let us in
	broken  error // what is wrong with the directory
}

// Offers reports whether reports of success may be promised (RFC 3461): there is room, and what waits is sent. It is
// asked at each hello, and returns at once.
func (b *Box) Offers() bool { return b.State().Offers }

// State returns how things are, and logs it where the offer has changed.
func (b *Box) State() State {
	b.mu.Lock()
	was := b.valve.closed
	b.look(time.Now())
	v := b.valve
	is := State{len(b.waiting), b.octets, b.oldest(), v.closed == "", v.closed, v.detail}
	b.mu.Unlock()
	switch {
	case was == "" && !is.Offers:
		b.opts.Log.Warn("DSN withdrawn", "reason", is.Reason, "detail", is.Detail, "entries", is.Entries, "oldest", is.age())
	case was != "" && is.Offers:
		b.opts.Log.Info("DSN offered again", "entries", is.Entries)
	}
	return is
}

// look decides anew; b.mu is held. It closes at four fifths of the bounds, and opens at two, so that it does not
// flutter.
func (b *Box) look(now time.Time) {
	number, octets := b.staged+len(b.waiting), b.octets
	full := func(most int64) bool {
		return int64(number)*5 >= int64(b.opts.Entries)*most || octets*5 >= b.opts.Octets*most
	}
	v := &b.valve
	late := func() bool { return len(b.waiting) > 0 && now.Sub(b.oldest()) > b.opts.Withdraw }
	switch {
	case v.broken != nil:
		v.closed, v.detail = "outbox", "the outbox cannot be used: "+v.broken.Error()
	case full(4):
		v.closed, v.detail = "outbox", "the outbox is full"
	case v.failing != nil && (v.barred || late()):
		v.closed, v.detail = "submission", "the server does not take what waits: "+v.failing.Error()
	case now.Before(b.rate.over):
		v.closed, v.detail = "rate", "too many reports are asked for"
	case v.closed != "" && (full(2) || v.failing != nil && len(b.waiting) > 0): // not yet
	default:
		v.closed, v.detail = "", ""
	}
}

// oldest is when the first of those that wait was staged; b.mu is held.
func (b *Box) oldest() (first time.Time) {
	if b.first.IsZero() {
		for _, a := range b.waiting {
			if b.first.IsZero() || a.since.Before(b.first) {
				b.first = a.since
			}
		}
	}
	return b.first
}

// blame notes that a step has failed, and has Run look soon what is wrong. That a client has gone says nothing.
func (b *Box) blame(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	b.found(err)
	b.wakeUp()
}

// found notes what is wrong with the directory; nil: nothing. It is logged where that is news to the caller of Prepare.
func (b *Box) found(err error) {
	b.mu.Lock()
	was := b.valve.broken
	b.valve.broken = err
	b.mu.Unlock()
	switch {
	case was == nil && err != nil:
		b.opts.Log.Error("outbox cannot be used", "dir", b.opts.Dir, "error", err)
	case was != nil && !errors.Is(was, errNotReady) && err == nil:
		b.opts.Log.Info("outbox can be used again", "dir", b.opts.Dir)
	}
}

// A State is how an outbox is.
type State struct {
	Entries int
	Octets  int64
	Oldest  time.Time // zero: nothing waits
	Offers  bool
	// Reason is why it does not, in a word: outbox, submission or rate. Detail says more.
	Reason, Detail string
}

// age is how long the oldest waits.
func (s State) age() time.Duration {
	if s.Oldest.IsZero() {
		return 0
	}
	return time.Since(s.Oldest).Round(time.Second)
}
