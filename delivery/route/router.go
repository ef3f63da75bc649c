// Package route decides what becomes of mail for a recipient: which accounts an address leads to, where their
// mailboxes are, and whether they take the message. The server, lookup, dry runs and health checks ask the same
// question, Router.Decide, and get the same answer.
package route

import (
	"cmp"
	"context"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Router decides what becomes of mail. Set the fields before its first use.
type Router struct {
	Resolver *Resolver
	// Layout says where an account's Maildir is.
	Layout Layout
	// Owners says with whose rights it is given mail. [those of the process]
	Owners Owners
	// Store is asked whether folders exist and mailboxes have room.
	Store *mailbox.Store
	// Folders is how the names of folders are written on disk. [modified UTF-7]
	Folders mailbox.FolderEncoding
	// FolderLimit is up to how many folders of a Maildir details make more (DetailsCreate), and
	// FolderLevels how many levels these have.
	FolderLimit, FolderLevels int
	// Rules file mail by its header.
	Rules []Rule
	// Apart reports whether the mailboxes of an alias are delivered to each by itself, because it is remembered which
	// of them have the message when the client sends it again. [never]
	Apart func() bool
	// RejectFull refuses mail for a full mailbox for good: 552 5.2.2 in place of 452 4.2.2.
	RejectFull bool
}

// A Decision is what becomes of a message for one recipient.
type Decision struct {
	// Actions are those for the mailboxes that the address leads to: one, or several where it is an alias.
	Actions []Action
	// Refusals are those of single mailboxes, where the address is an alias. If Err is nil they are left out: for good,
	// or for now where they are the reason of Later.
	Refusals []Refusal
	// Later, if Err is nil, is the reply for a message that has been delivered to the others, an *lmtp.Error: the client
	// is to send it again for those who cannot have it now. nil where there are none.
	Later error
	// Steps are how that came about. Only Explain has them.
	Steps []Step
	// Err is the reply to RCPT, an *lmtp.Error. nil accepts the recipient.
	Err error
}

// A Refusal is that of one of the mailboxes of an alias.
type Refusal struct {
	// Mailbox is the address of the account, or the target of the alias for which there is none.
	Mailbox string
	// Err is the reply that the address would have for it alone, an *lmtp.Error.
	Err error
}

// Decide decides what RCPT is answered, and what becomes of the message before its header is known. A size that the
// envelope does not have, 0, is not held against a quota. Where it refuses there are no actions.
func (r *Router) Decide(ctx context.Context, env *lmtp.Envelope, to *lmtp.Recipient) Decision {
	q := question{router: r, envelope: env, recipient: to}
	return q.decide(ctx)
}

// Explain is Decide for people who ask why. It has the actions also where one of them is refused.
func (r *Router) Explain(ctx context.Context, env *lmtp.Envelope, to *lmtp.Recipient) Decision {
	steps := []Step{}
	q := question{router: r, envelope: env, recipient: to, steps: &steps}
	d := q.decide(ctx)
	d.Steps = steps
	return d
}

// A question is one recipient of one transaction.
type question struct {
	router    *Router
	envelope  *lmtp.Envelope
	recipient *lmtp.Recipient
	steps     *[]Step // nil: Decide
}

func (q *question) decide(ctx context.Context) Decision {
	found, err := q.router.Resolver.resolve(ctx, q.recipient.To, q.steps)
	if err != nil && q.steps == nil {
		return Decision{Err: q.router.Reply(err)}
	}
	apart := len(found) > 1 && q.router.Apart != nil && q.router.Apart()
	actions := make([]Action, 0, len(found))
	for i := range found {
		if found[i].Account != nil {
			q.member(ctx, &found[i])
		}
		if q.steps == nil && !apart && Defers(found[i].Refused) {
			break // the others do not matter any more
		}
	}
	var later error
	if err == nil {
		err, later = verdict(found, apart)
	}
	d := Decision{Err: q.router.Reply(err), Later: later}
	for i := range found {
		f := &found[i]
		if f.action != nil && (f.Refused == nil || d.Err != nil && q.steps != nil) {
			actions = append(actions, f.action)
			q.explainRules(f)
		}
		if f.Refused != nil && f.aliased {
			d.Refusals = append(d.Refusals, Refusal{f.name(), f.Refused})
			q.explainRefusal(f, d.Err)
		}
	}
	if d.Err == nil || q.steps != nil {
		d.Actions = actions
	}
	return d
}

// member finds out what is to be done for one of the accounts, and whether it refuses the message.
func (q *question) member(ctx context.Context, f *Resolution) {
	q.explainClaims(ctx, f)
	refused := cmp.Or(f.Refused, q.refuseAccount(f))
	if refused == nil || q.steps != nil {
		action, step, err := q.router.place(ctx, *f)
		if step.Rule != "" {
			q.note(f, step)
		}
		if err == nil {
			err = q.refuseFull(ctx, f, action)
		}
		if err == nil {
			err = q.refuseHanging(f, action)
		}
		f.action, refused = action, cmp.Or(refused, err)
	}
	f.Refused = q.router.Reply(refused)
}

// refuseAccount refuses what an account never takes, and mail for an earlier owner.
func (q *question) refuseAccount(f *Resolution) error {
	a, to := f.Account, q.recipient.To
	if err := refuseInternationalized(a, to); err != nil {
		q.note(f, Step{Rule: "smtputf8", Input: address.Shown(a.Address), Result: err.Error()})
		if internationalized(q.envelope, to) {
			return err
		}
	}
	return RefuseOwner(a, to, q.recipient.ValidSince)
}

// refuseHanging refuses a recipient while the file system of the mailbox does not answer: the message need not come,
// and wait, to learn that.
func (q *question) refuseHanging(f *Resolution, a Action) error {
	err := q.router.Store.Answers(a.Dest())
	if err != nil {
		q.note(f, Step{Rule: "store", Input: f.name(), Result: err.Error()})
	}
	return err
}
