package delivery

import "github.com/doorstep-mail/doorstep/delivery/warning"

// Quotas is when an Agent warns of mailboxes that fill up. The zero value never does.
type Quotas struct {
	// WarnAt are the shares of a quota, in percent, at which to warn.
	WarnAt []int
	// Warner gets the warnings of mailboxes that have just reached one of them. [none]
	Warner Warner
}

// A Warner passes warnings on. Mail waits for it: it returns at once.
type Warner interface{ Warn(warning.Warning) }

// warn warns of the shares of the quota that a stored copy has reached. Between what the mailbox held
// before and after a copy no other copy lies, so that each share is reached once, and nothing need be
// remembered of it.
func (t *transaction) warn(copy int) {
	q := &t.agent.Quotas
	if q.Warner == nil || len(q.WarnAt) == 0 {
		return
	}
	c := t.copies[copy]
	before, after := t.message.Filled(copy)
	for _, of := range []struct {
		what                 string
		before, after, bound int64
	}{
		{"bytes", before.Bytes, after.Bytes, c.dest.Quota.Bytes},
		{"messages", before.Messages, after.Messages, c.dest.Quota.Messages},
	} {
		if percent := reached(q.WarnAt, of.before, of.after, of.bound); percent > 0 {
			q.Warner.Warn(warning.Warning{
				Mailbox: c.action.For().Account.Address, Percent: percent, Of: of.what, Usage: after, Quota: c.dest.Quota,
			})
		}
	}
}

// reached is the highest share of bound that lies above before and not above after, 0 for none.
func reached(percents []int, before, after, bound int64) (highest int) {
	for _, p := range percents {
		line := bound/100*int64(p) + bound%100*int64(p)/100 // without overflow
		if bound > 0 && before < line && line <= after {
			highest = max(highest, p)
		}
	}
	return highest
}
