package route

import (
	"context"
	"errors"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// refuseFull refuses a recipient whose mailbox has no room for what the client declared, so that the
// message need not come first (RFC 1870 §6.4). What it cannot find out is found out when the message has come.
func (q *question) refuseFull(ctx context.Context, f *Resolution, a Action) error {
	c := mailbox.Copy{To: a.Dest()}
	c.IgnoreQuota, c.Beyond = OverQuota(q.recipient)
	err := q.router.Store.Room(ctx, c, q.envelope.Size)
	if errors.Is(err, mailbox.ErrHangs) {
		return err
	}
	if !errors.Is(err, mailbox.ErrOverQuota) {
		return nil
	}
	q.note(f, Step{Rule: "quota", Input: f.name(), Result: err.Error()})
	return err
}

// postmasterRoom is how much more than its quota a mailbox may hold with mail for the postmaster, who must be reachable
// (RFC 5321 §4.5.1): any client can write to that address, in every domain, and one account often has several of them.
var postmasterRoom = mailbox.Quota{Bytes: 100 << 20, Messages: 10_000}

// OverQuota says how far over its quota a mailbox takes mail for a recipient: any way where a trusted peer wants it so,
// and by a bounded amount for the postmaster.
func OverQuota(r *lmtp.Recipient) (ignore bool, beyond mailbox.Quota) {
	if isPostmaster(r.To.Local) {
		beyond = postmasterRoom
	}
	return r.IgnoreQuota, beyond
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
