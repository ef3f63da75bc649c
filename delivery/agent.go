package delivery

import (
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"log/slog"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/head"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// An Agent delivers mail into Maildirs. It implements lmtp.Handler. Set the fields before
// its first use.
type Agent struct {
	// Router decides what becomes of mail for a recipient.
	Router *route.Router
	Store  *mailbox.Store
	// RRVS has mail refused that is for an earlier owner of the mailbox (RFC 7293).
	RRVS bool
	// State remembers which mailboxes of an alias have a message that is deferred for others. [nothing: an alias is
	// delivered to all of its mailboxes or none]
	State state.Store
	// Reports are those of success that clients ask for which were offered DSN (RFC 3461), and those of failure because
	// of mailboxes of an alias that were left out.
	Reports Reports
	// Quotas is when to warn of mailboxes that fill up.
	Quotas Quotas
	// Hooks observe outcomes. [none]
	Hooks Hooks
	// OriginalTo adds X-Original-To to what a client says of the recipient that the sender named.
	OriginalTo bool
	// SingleCopy has the copies of a message begin with the same header, so that the store can
	// keep them as one file (mailbox.Options.SingleCopy).
	SingleCopy bool
	// MaxPending is how many octets the recipients of all transactions may take in memory, about. More are refused with
	// 452 4.3.1. [128 MiB]
	MaxPending int64
	// IsShort reports whether memory is short: MAIL is answered with 452 4.3.1 then, and the transactions that have begun
	// go on. Sessions call it at the same time. [it never is]
	IsShort func() bool
	// Log gets one line for each recipient: "delivered" or "refused".
	Log *slog.Logger
	// Now is the clock of the trace fields. [time.Now]
	Now func() time.Time

	pending budget
}

// Mail begins a transaction.
func (a *Agent) Mail(_ context.Context, s *lmtp.Session, env *lmtp.Envelope) (lmtp.Transaction, error) {
	if a.IsShort != nil && a.IsShort() {
		return nil, errShort
	}
	return &transaction{agent: a, session: s, envelope: env, begun: a.now()}, nil
}

func (a *Agent) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

// A transaction is one message on its way to its recipients.
type transaction struct {
	agent    *Agent
	session  *lmtp.Session
	envelope *lmtp.Envelope
	begun    time.Time

	committed time.Time // when the content had come

	recipients []recipient // accepted, in order
	held       int64       // what they take of the agent's budget
	copies     []target    // one for each distinct place
	head       head.Editor
	top        *top             // of the message, where a report may be owed; else nil
	digest     hash.Hash        // of the content, where it may have come before; else nil
	content    *mailbox.Content // its Deliver has been called where message is set
	message    *mailbox.Message
}

// A recipient is an accepted one, and which copies are theirs.
type recipient struct {
	to     address.Address
	parts  []part
	since  time.Time     // as said with RCPT: since when the mailbox must have its owner
	force  bool          // into a full mailbox too
	beyond mailbox.Quota // into one that is full by no more

	later   error     // the reply because of mailboxes that cannot have it now
	apart   bool      // each mailbox is delivered to by itself
	subject state.Key // by which it is remembered who has the message
	marking marking

	notify   lmtp.Notify      // of what the sender wants reports
	original address.Original // that the sender named
	left     []error          // why mailboxes of an alias are left out since RCPT, for good
	promise  *promise         // the report that is owed; nil: none
}

// Rcpt accepts a recipient, if the router does.
func (t *transaction) Rcpt(ctx context.Context, r *lmtp.Recipient) error {
	decision := t.agent.Router.Decide(ctx, t.envelope, r)
	if decision.Err == nil && t.hasOneReply() {
		decision.Err = decision.Later // which would be that of all recipients
	}
	if decision.Err != nil {
		t.logRefused(r.To, decision)
		return decision.Err
	}
	for _, left := range decision.Refusals {
		t.logMember(r.To, left)
	}
	if err := t.hold(r, len(decision.Actions)); err != nil {
		t.logRefused(r.To, route.Decision{Err: err})
		return err
	}
	parts := make([]part, len(decision.Actions))
	for i, action := range decision.Actions {
		parts[i] = part{action: action, copy: t.copyFor(action, len(t.recipients))}
	}
	taken := recipient{to: r.To, parts: parts, since: r.ValidSince, later: decision.Later,
		notify: r.Notify, original: r.Original, left: leftOut(decision.Refusals), promise: t.promiseFor(r)}
	taken.force, taken.beyond = route.OverQuota(r)
	t.recipients = append(t.recipients, taken)
	return nil
}

// Write takes content. The only error is one that concerns every recipient alike; what goes
// wrong with one copy is that recipient's outcome.
func (t *transaction) Write(p []byte) (int, error) {
	t.begin()
	if t.top != nil {
		_, _ = t.top.Write(p)
	}
	n, err := t.head.Write(p)
	if err == nil {
		err = t.looped()
	}
	return n, err
}

// begin makes ready for the first content.
func (t *transaction) begin() {
	if t.content != nil {
		return
	}
	t.content = t.agent.Store.NewContent()
	if t.mayHaveCome() {
		t.digest = sha256.New()
		t.head.Digest = t.digest
	}
	for i := range t.recipients {
		if r := &t.recipients[i]; r.promise != nil || t.owesFailures(r) {
			t.top = &top{most: t.agent.Reports.Header}
		}
	}
	t.edit(sink{t})
}

// edit makes ready for the header.
func (t *transaction) edit(to io.Writer) {
	t.head.To = to
	if t.agent.RRVS {
		t.head.Remove = isSinceField
	}
	if t.agent.RRVS || len(t.agent.Router.Rules) > 0 {
		t.head.Collect = t.agent.asksFor
	}
}

// asksFor reports whether the header fields of a name are needed.
func (a *Agent) asksFor(name []byte) bool { return a.RRVS && isSinceField(name) || a.Router.Asks(name) }

// maxReceived is how many Received fields a message may have: with more it is taken to be in a loop (RFC 5321 §6.3).
const maxReceived = 100

var errLoop = &lmtp.Error{Code: 554, Enhanced: "5.4.6", Text: "too many hops, the message is in a loop", Rule: "loop"}

// looped refuses a message that went through too many hands.
func (t *transaction) looped() error {
	if t.head.Received > maxReceived {
		return errLoop
	}
	return nil
}

// A sink passes the edited message on. The first write is the header, which decides where copies go and for which
// recipients, so that they are named then. When no copy can take the content any more the rest is of no use, but each
// recipient has an outcome of its own, which Commit reports.
type sink struct{ t *transaction }

func (s sink) Write(p []byte) (int, error) {
	s.t.name()
	_, _ = s.t.content.Write(p)
	return len(p), nil
}

// Abort drops the message, and logs why its recipients were refused.
func (t *transaction) Abort(why error) {
	defer t.release()
	t.begin()
	t.content.Close()
	if why == nil {
		return
	}
	for i := range t.recipients {
		for _, p := range t.recipients[i].parts {
			t.logDone(&t.recipients[i], p, t.agent.Router.Reply(why))
		}
	}
}
