package outbox

import "time"

// A sender who asks for reports without end, or many of them, would have the server send as much mail as they like to
// addresses that may be forged. So what is taken is bounded, and before it is refused the offer is withdrawn: the
// clients then report by themselves.

const (
	// maxSenders bounds the senders that are counted. One that finds no place counts among all only.
	maxSenders = 10_000
)

// A pace lets some through at once, and then one in each interval.
type pace struct{ interval, burst time.Duration }

// has reports whether one more may pass. busy is until when those that have passed take, one after the other.
func (p pace) has(busy, now time.Time) bool {
	return latest(busy, now).Add(p.interval).Sub(now) <= p.burst
}

// A rate counts what was taken.
type rate struct {
	each    pace
	all     pace
	senders map[string]time.Time // until when they are busy
	total   time.Time
	swept   time.Time
	over    time.Time // until then nothing is offered
}

func newRate(perSender, perMinute int) rate {
	hour := time.Hour / time.Duration(perSender)
	return rate{
		each:    pace{hour, hour * time.Duration(max(perSender*5/2, 1))},
		all:     pace{time.Minute / time.Duration(perMinute), time.Minute},
		senders: map[string]time.Time{},
	}
}

// take counts a report to a sender. It reports false for one that is too much.
func (r *rate) take(sender string, now time.Time) bool {
	own, counted := r.senders[sender]
	if !r.each.has(own, now) || !r.all.has(r.total, now) {
		return false
	}
	own, r.total = latest(own, now).Add(r.each.interval), latest(r.total, now).Add(r.all.interval)
	if counted || r.hasRoom(now) {
		r.senders[sender] = own
	}
	r.look(r.each, own, now)
	r.look(r.all, r.total, now)
	return true
}

// look withdraws the offer if the next report would be too much, until there is room for some more.
func (r *rate) look(p pace, busy, now time.Time) {
	if !p.has(busy, now) {
		r.over = latest(r.over, busy.Add(p.burst/10-p.burst))
	}
}

// hasRoom reports whether another sender can be counted. Those are forgotten who count as new ones would.
func (r *rate) hasRoom(now time.Time) bool {
	if len(r.senders) >= maxSenders && now.Sub(r.swept) > time.Minute {
		r.swept = now
		for sender, busy := range r.senders {
			if !busy.After(now) {
				delete(r.senders, sender)
			}
		}
	}
	return len(r.senders) < maxSenders
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Take counts a report to a sender, before it is staged for some recipients. It reports false for one that is too much:
// it is not to be sent.
func (b *Box) Take(sender string, recipients int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	ok := b.rate.take(sender, time.Now())
	if !ok {
		b.opts.Hooks.report(TooMany, recipients)
	}
	return ok
}
