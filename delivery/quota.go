package delivery

import (
	"context"
	"errors"

	"github.com/doorstep-mail/doorstep/delivery/warning"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Quotas is how an Agent treats mailboxes that fill up. The zero value defers mail for those that
// are full, and warns nobody.
type Quotas struct {
	// Reject refuses mail for a full mailbox for good: 552 5.2.2 in place of 452 4.2.2.
	Reject bool
	// WarnAt are the shares of a quota, in percent, at which to warn.
	WarnAt []int
	// Warner is told of mailboxes that have just reached one of them. [nobody is]
	Warner Warner
}

// A Warner passes warnings on. Mail waits for it: it returns at once.
type Warner interface{ Warn(warning.Warning) }

// reply is the package's, with what the administrator decides of full mailboxes.
func (t *transaction) reply(err error) error {
	if errors.Is(err, mailbox.ErrOverQuota) {
		return full(err, t.agent.Quotas.Reject)
	}
	return reply(err)
}

// full is the reply for a mailbox that has no room, be it by its quota or by the disk quota of its owner, which is
// always temporary: one user may own all mailboxes.
func full(cause error, reject bool) error {
	e := &lmtp.Error{Code: 452, Enhanced: "4.2.2", Text: "mailbox is full", Rule: "quota", Cause: cause}
	if reject {
		e.Code, e.Enhanced = 552, "5.2.2"
	}
	return e
}

// overrides reports whether a recipient gets mail whatever the mailbox holds: a trusted peer wants it
// so, or it is the postmaster, who must be reachable (RFC 5321 §4.5.1).
func overrides(r *lmtp.Recipient) bool { return r.IgnoreQuota || isPostmaster(r.To.Local) }

// refuseFull refuses a recipient whose mailbox has no room for what the client declared, so that the
// message need not come first (RFC 1870 §6.4). What it cannot tell is told when the message has come.
func (t *transaction) refuseFull(ctx context.Context, r *lmtp.Recipient, dest mailbox.Dest) error {
	if overrides(r) {
		return nil
	}
	if err := t.agent.Store.Room(ctx, dest, t.envelope.Size); errors.Is(err, mailbox.ErrOverQuota) {
		return err
	}
	return nil
}

// RefuseFull is the reply that RCPT gives for a mailbox at dest, of a message of unknown size; nil
// where it accepts.
func (a *Agent) RefuseFull(ctx context.Context, to address.Address, dest mailbox.Dest) error {
	t := &transaction{agent: a, envelope: &lmtp.Envelope{}}
	if err := t.refuseFull(ctx, &lmtp.Recipient{To: to}, dest); err != nil {
		return t.reply(err)
	}
	return nil
}

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
			q.Warner.Warn(warning.Warning{Mailbox: c.account.Address, Percent: percent, Of: of.what, Usage: after, Quota: c.dest.Quota})
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
