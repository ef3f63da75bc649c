package delivery

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/head"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// An Agent delivers mail into Maildirs. It implements lmtp.Handler. Set the fields before
// its first use.
type Agent struct {
	Resolver *Resolver
	// Layout says where an account's Maildir is.
	Layout Layout
	// Owners says with whose rights it is given mail. [those of the process]
	Owners Owners
	Store  *mailbox.Store
	// Folders is how the names of folders are written on disk. [modified UTF-7]
	Folders mailbox.FolderEncoding
	// FolderLimit is up to how many folders of a Maildir details make more (DetailsCreate), and
	// FolderLevels how many levels these have.
	FolderLimit, FolderLevels int
	// Rules put mail into folders by its header.
	Rules []Rule
	// RRVS has mail refused that is for an earlier owner of the mailbox (RFC 7293).
	RRVS bool
	// Quotas is how mailboxes are treated that fill up.
	Quotas Quotas
	// Hooks are told of outcomes. [nobody is]
	Hooks Hooks
	// SingleCopy has the copies of a message begin with the same header, so that the store can
	// keep them as one file (mailbox.Options.SingleCopy).
	SingleCopy bool
	// Log gets one line for each recipient: "delivered" or "refused".
	Log *slog.Logger
	// Now is the clock of the trace fields. [time.Now]
	Now func() time.Time
}

// Mail begins a transaction.
func (a *Agent) Mail(_ context.Context, s *lmtp.Session, env *lmtp.Envelope) (lmtp.Transaction, error) {
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
	copies     []copyFor   // one for each distinct mailbox
	head       head.Editor
	content    *mailbox.Content // its Deliver has been called where message is set
	message    *mailbox.Message
}

// A recipient is an accepted one, and which copies are theirs.
type recipient struct {
	to      address.Address
	parts   []part
	since   time.Time // as said with RCPT: since when the mailbox must have its owner
	refused error     // why this one gets nothing, though the copies may be for others
	force   bool      // into a full mailbox too
}

// A part is what a recipient comes to: one, or several where it is an alias.
type part struct {
	account *directory.Account
	copy    int
}

// A copyFor is the copy in one mailbox. Its trace fields name the first recipient that led
// there and is not refused.
type copyFor struct {
	dest    mailbox.Dest
	to      address.Address
	account *directory.Account
	force   bool // into a full mailbox too
}

// Rcpt resolves a forward-path and accepts it, if its accounts take mail.
func (t *transaction) Rcpt(ctx context.Context, r *lmtp.Recipient) error {
	places, err := t.resolve(ctx, r)
	if err != nil {
		err = t.reply(err)
		t.logRefused(r.To, err)
		return err
	}
	parts := make([]part, len(places))
	for i, p := range places {
		parts[i] = part{p.account, t.copyFor(p, r.To)}
	}
	t.recipients = append(t.recipients, recipient{to: r.To, parts: parts, since: r.ValidSince, force: overrides(r)})
	return nil
}

// A placement is where a copy goes.
type placement struct {
	account *directory.Account
	dest    mailbox.Dest
}

// resolve finds the accounts that take mail for a recipient, and where their copies go.
func (t *transaction) resolve(ctx context.Context, r *lmtp.Recipient) ([]placement, error) {
	found, err := t.agent.Resolver.Resolve(ctx, r.To)
	if err != nil {
		return nil, err
	}
	places := make([]placement, len(found))
	for i, f := range found {
		if internationalized(t.envelope, r.To) {
			err = RefuseInternationalized(f.Account, r.To)
		}
		if err == nil {
			err = refuseOwner(f.Account, r.To, r.ValidSince)
		}
		places[i].account = f.Account
		if err == nil {
			places[i].dest, _, err = t.agent.Dest(f)
		}
		if err == nil {
			err = t.refuseFull(ctx, r, places[i].dest)
		}
		if err != nil {
			return nil, err
		}
	}
	return places, nil
}

// copyFor gives the number of the copy for a mailbox. Addresses that lead to one mailbox, and
// there to one folder, share a copy: there is one file, and a reply for each of them.
func (t *transaction) copyFor(p placement, to address.Address) int {
	for i := range t.copies {
		if c := &t.copies[i]; samePlace(c.dest, p.dest) {
			c.dest.MakeFolder = max(c.dest.MakeFolder, p.dest.MakeFolder)
			return i
		}
	}
	t.copies = append(t.copies, copyFor{dest: p.dest, to: to, account: p.account})
	return len(t.copies) - 1
}

// samePlace reports whether two copies would go to one Maildir or folder.
func samePlace(a, b mailbox.Dest) bool {
	a.MakeFolder, b.MakeFolder = 0, 0
	return a == b
}

// Write takes content. The only error is one that concerns every recipient alike; what goes
// wrong with one copy is that recipient's outcome.
func (t *transaction) Write(p []byte) (int, error) {
	t.begin()
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
	t.head.To = sink{t}
	if t.agent.RRVS {
		t.head.Remove = isSinceField
	}
	if t.agent.RRVS || len(t.agent.Rules) > 0 {
		t.head.Collect = t.agent.asksFor
	}
}

// asksFor reports whether the header fields of a name are needed.
func (a *Agent) asksFor(name []byte) bool {
	return a.RRVS && isSinceField(name) ||
		slices.ContainsFunc(a.Rules, func(r Rule) bool { return bytes.EqualFold([]byte(r.Field), name) })
}

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

// A sink passes the edited message on. What it gets first is the header: that decides where copies go, and whom they
// are for, so that they are named now. When no copy can take the content any more the rest is of no use, but its
// recipients each have their own outcome, which Commit reports.
type sink struct{ t *transaction }

func (s sink) Write(p []byte) (int, error) {
	s.t.name()
	_, _ = s.t.content.Write(p)
	return len(p), nil
}

// name names the copies to the store.
func (t *transaction) name() {
	if t.message != nil {
		return
	}
	header := t.head.Header()
	t.fileByHeader(header)
	t.refuseByHeader(header)
	for _, r := range slices.Backward(t.recipients) {
		if r.refused != nil {
			continue
		}
		for _, p := range r.parts {
			t.copies[p.copy].to = r.to // in the end the first of them
			t.copies[p.copy].force = t.copies[p.copy].force || r.force
		}
	}
	now := t.agent.now()
	var room [1]mailbox.Copy
	copies := room[:0]
	for _, c := range t.copies {
		trace := traceFields(t.session, t.envelope, t.addressee(c), now)
		copies = append(copies, mailbox.Copy{To: c.dest, Header: trace, IgnoreQuota: c.force})
	}
	t.message = t.content.Deliver(copies...)
}

// addressee is whom the trace fields of a copy name: nobody where several mailboxes may share its
// file, as those who read it in one would learn of the other, and of blind copies.
func (t *transaction) addressee(c copyFor) address.Address {
	if t.agent.SingleCopy && len(t.copies) > 1 {
		return address.Address{}
	}
	return c.to
}

// Abort drops the message, and logs why its recipients were refused.
func (t *transaction) Abort(why error) {
	t.begin()
	t.content.Close()
	if why == nil {
		return
	}
	for i := range t.recipients {
		for _, p := range t.recipients[i].parts {
			t.logDone(&t.recipients[i], p, t.reply(why))
		}
	}
}
