package route

import (
	"cmp"
	"context"
	"errors"
	"syscall"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A status is a row of the table that turns what went wrong on disk into a reply. All are
// temporary: whatever can go wrong there can be repaired, and the MTA has a queue.
type status struct {
	cause    error
	code     int
	enhanced string
	text     string
	rule     string
}

// statuses holds the first match first.
var statuses = []status{
	{mailbox.ErrHangs, 451, "4.3.0", "mail store does not answer, try again later", "hangs"},
	{mailbox.ErrTooManyTogether, 451, "4.3.5", "too many mailboxes for this system", "descriptors"},
	{mailbox.ErrTogether, 451, "4.3.0", "another mailbox cannot take the message now", ruleTogether},
	{syscall.ENOSPC, 452, "4.3.1", "mail system is full", "disk"},
	{errNoHome, 451, "4.2.0", "mailbox is not available", "maildir"},
	{mailbox.ErrNoRoot, 451, "4.3.0", "mail store is not available", "store"},
	{errAccount, 451, "4.3.0", "mailbox is not available", "broken_account"},
	{mailbox.ErrOwner, 451, "4.3.0", "mailbox is not available", "owner"},
	{mailbox.ErrForeign, 451, "4.2.0", "mailbox is not available", "owner"},
	{mailbox.ErrNoMailbox, 451, "4.2.0", "mailbox is not available", "maildir"},
	{mailbox.ErrNotMaildir, 451, "4.2.0", "mailbox is not available", "maildir"},
	{context.DeadlineExceeded, 451, "4.3.0", "delivery takes too long, try again later", "timeout"},
	{lmtp.ErrClientGone, 451, "4.4.2", "client has gone, try again", "client_gone"},
	{context.Canceled, 451, "4.3.2", "delivery was interrupted, try again soon", "shutdown"},
}

// Reply returns the error that a client is answered with, an *lmtp.Error with err as its cause, and nil for nil. An
// error that is in no row is temporary: 451 4.3.0.
func (r *Router) Reply(err error) error {
	if err == nil {
		return nil
	}
	if known := (*lmtp.Error)(nil); errors.As(err, &known) {
		return err
	}
	if errors.Is(err, mailbox.ErrOverQuota) {
		return full(err, r.RejectFull)
	}
	if errors.Is(err, syscall.EDQUOT) {
		return full(err, false)
	}
	for _, s := range statuses {
		if errors.Is(err, s.cause) {
			return &lmtp.Error{Code: s.code, Enhanced: s.enhanced, Text: s.text, Rule: s.rule, Cause: err}
		}
	}
	return &lmtp.Error{Code: 451, Enhanced: "4.3.0", Text: "local error, try again later", Rule: "store", Cause: err}
}

// ruleTogether is the rule of what is not refused for itself.
const ruleTogether = "together"

// Defers reports whether a refusal is for now. One that does not say is.
func Defers(refused error) bool {
	if refused == nil {
		return false
	}
	known, ok := errors.AsType[*lmtp.Error](refused)
	return !ok || known.Temporary()
}

// Worse returns the one of two refusals that speaks for both, either of which may be nil: for now before for good, as
// a message that is tried again is not lost, and one that was refused for itself before one that was not.
func Worse(a, b error) error {
	switch {
	case a == nil || b == nil:
		return cmp.Or(a, b)
	case lmtp.RuleOf(a) == ruleTogether:
		return b
	case lmtp.RuleOf(b) != ruleTogether && !Defers(a) && Defers(b):
		return b
	}
	return a
}

// ReplyFor is Reply for an error of the copy that an action made.
func (r *Router) ReplyFor(a Action, err error) error {
	box := a.For()
	return r.Reply(missingHome(box.Account, box.Inbox, err))
}
