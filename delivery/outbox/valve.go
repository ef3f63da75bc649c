package outbox

import "time"

// A valve decides whether more may come. The duty that it refuses is the MTA's again, who takes it back in its next
// session: no report is lost, and no mail deferred.
type valve struct {
	closed  string // why; "": open
	failing error  // the last attempt
	broken  error  // the last time that something was to be written
}

// Offers reports whether reports of success may be promised (RFC 3461): there is room, and what waits is sent.
func (b *Box) Offers() bool {
	b.mu.Lock()
	was := b.valve.closed
	b.look(time.Now())
	is := b.valve.closed
	b.mu.Unlock()
	if (was == "") != (is == "") && b.opts.Changed != nil {
		b.opts.Changed(is == "", is)
	}
	return is == ""
}

// look decides anew; b.mu is held. It closes at four fifths of the bounds, and opens at two, so that it does not
// flutter.
func (b *Box) look(now time.Time) {
	number, octets := b.staged+len(b.waiting), b.octets
	full := func(most int64) bool {
		return int64(number)*5 >= int64(b.opts.Entries)*most || octets*5 >= b.opts.Octets*most
	}
	v := &b.valve
	switch oldest := b.oldest(); {
	case v.broken != nil:
		v.closed = "the outbox cannot be written to: " + v.broken.Error()
	case full(4):
		v.closed = "the outbox is full"
	case v.failing != nil && !oldest.IsZero() && now.Sub(oldest) > b.opts.Withdraw:
		v.closed = "the server does not take what waits: " + v.failing.Error()
	case v.closed != "" && (full(2) || v.failing != nil && len(b.waiting) > 0): // not yet
	default:
		v.closed = ""
	}
}

// oldest is when the first of those that wait was staged; b.mu is held.
func (b *Box) oldest() (first time.Time) {
	for _, a := range b.waiting {
		if first.IsZero() || a.since.Before(first) {
			first = a.since
		}
	}
	return first
}

// stuck notes what was wrong with the directory. The next look of Run finds out whether it still is.
func (b *Box) stuck(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.valve.broken = err
}
