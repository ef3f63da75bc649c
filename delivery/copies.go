package delivery

import (
	"cmp"
	"slices"

	"github.com/emersion/go-message/textproto"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Actions are carried out here: those for one place become one copy.

// A part is what a recipient comes to: one action, or several where it is an alias.
type part struct {
	action  route.Action
	copy    int
	refused error // by the header: why it gets nothing
	has     bool  // the message, since an earlier attempt
}

// A target is the copy in one place. Its trace fields name the first recipient that led
// there and is not refused.
type target struct {
	dest   mailbox.Dest
	action route.Action  // the first that led there
	first  int           // the recipient that its trace fields name
	force  bool          // into a full mailbox too
	beyond mailbox.Quota // into one that is full by no more
}

// copyFor returns the number of the copy that an action makes. Addresses that lead to one mailbox, and
// there to one folder, share a copy: there is one file, and a reply for each of them.
func (t *transaction) copyFor(a route.Action, recipient int) int {
	dest := a.Dest()
	for i := range t.copies {
		if c := &t.copies[i]; route.SamePlace(c.action, a) {
			c.dest.MakeFolder = max(c.dest.MakeFolder, dest.MakeFolder)
			return i
		}
	}
	t.copies = append(t.copies, target{dest: dest, action: a, first: recipient})
	return len(t.copies) - 1
}

// fileByHeader changes the actions as the rules want it, now that the header is known.
func (t *transaction) fileByHeader(header textproto.Header) {
	fitting := t.agent.Router.Fitting(header)
	if len(fitting) == 0 {
		return
	}
	t.copies = nil
	for i, r := range t.recipients {
		for j := range r.parts {
			p := &r.parts[j]
			p.action = t.agent.Router.File(p.action, fitting)
			p.copy = t.copyFor(p.action, i)
		}
	}
}

// lookAtHeader decides by the header where the copies go, and who gets none.
func (t *transaction) lookAtHeader() {
	header := t.head.Header()
	t.fileByHeader(header)
	t.refuseByHeader(header)
}

// name names the copies to the store.
func (t *transaction) name() {
	if t.message != nil {
		return
	}
	t.lookAtHeader()
	for i, r := range slices.Backward(t.recipients) {
		for _, p := range r.parts {
			if p.refused != nil {
				continue
			}
			c := &t.copies[p.copy]
			c.first = i
			c.force = c.force || r.force
			if r.beyond != (mailbox.Quota{}) {
				c.beyond = r.beyond
			}
		}
	}
	now := t.agent.now()
	var room [1]mailbox.Copy
	copies := room[:0]
	for _, c := range t.copies {
		trace := t.traceFields(t.addressee(c), t.original(c), now)
		copies = append(copies, mailbox.Copy{To: c.dest, Header: trace, IgnoreQuota: c.force, Beyond: c.beyond})
	}
	t.message = t.content.Deliver(copies...)
}

// sets returns the copies of each recipient that stand or fall together, whether each copy is for itself, and why the
// first recipient of whom all are refused may not have the message.
func (t *transaction) sets() (of [][]int, each bool, refused error) {
	of, each = make([][]int, 0, len(t.recipients)), true
	for _, r := range t.recipients {
		set := make([]int, 0, len(r.parts))
		for _, p := range r.parts {
			if p.refused == nil && !p.has {
				set = append(set, p.copy)
			}
		}
		each = each && len(set) == len(r.parts) && (r.apart || len(set) == 1 && r.later == nil)
		switch {
		case len(set) == 0:
			refused = cmp.Or(refused, r.parts[0].refused)
		case r.apart:
			for _, copy := range set {
				of = append(of, []int{copy})
			}
		case r.later == nil: // else those of an alias that cannot have it now are in the set too
			of = append(of, set)
		}
	}
	return of, each, refused
}

// addressee returns the recipient for the trace fields. It is empty where mailboxes may share one file, because naming
// one recipient would disclose it, and any Bcc, to the others.
func (t *transaction) addressee(c target) address.Address {
	if t.agent.SingleCopy && len(t.copies) > 1 {
		return address.Address{}
	}
	return t.recipients[c.first].to
}

// original is what the sender named of the one that a copy's trace fields name.
func (t *transaction) original(c target) (o address.Original) {
	if t.addressee(c) == (address.Address{}) {
		return o
	}
	return t.recipients[c.first].original
}
