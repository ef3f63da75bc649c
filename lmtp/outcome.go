package lmtp

import (
	"context"
	"errors"
	"time"
)

// finish ends a transaction whose content has been read: it delivers the message, or refuses it for the given reason,
// and answers every accepted recipient.
func (c *conn) finish(refused error) error {
	if hook := c.server.Hooks.Content; hook != nil {
		hook(c.session, c.tx.content.size)
	}
	prdr := c.tx.envelope.PRDR
	p := &pending{c: c, id: c.tx.envelope.ID, success: c.tx.success, recipients: c.tx.accepted}
	ctx, cancel := context.WithTimeout(c.work, c.server.Timeouts.Transaction)
	defer cancel()
	p.ctx = ctx
	if refused != nil {
		c.logRefusal(refused, "command", "DATA", "transaction", p.id)
		c.abort(refused)
	} else {
		p.outcomes, refused = c.tx.commit(ctx, c.log)
		c.endTransaction()
	}
	if refused != nil {
		p.outcomes = sameOutcome(logged(refused), p.recipients)
	}
	c.count.idleCommands, c.count.skipped = 0, 0
	switch {
	case c.session.Protocol == LMTP:
		p.answerEach()
	case prdr:
		p.answerEachAndAll()
	default:
		p.answerOnce()
	}
	if p.late != nil && errors.Is(p.late, context.DeadlineExceeded) {
		c.log.Warn("recipients without an outcome", "limit", "transaction_timeout", "value", c.server.Timeouts.Transaction,
			"transaction", p.id)
	}
	if p.unheard() {
		c.leave(ErrClientGone) // before cancel, so that it is the cause
	}
	if p.gone {
		return ErrClientGone
	}
	return c.out.Err()
}

// unheard reports whether the client has gone.
func (p *pending) unheard() bool { return p.gone || p.c.out.Err() != nil }

// answerEach writes one reply for each recipient, each as soon as it is known (RFC 2033 §4.2, §5). No other function
// answers LMTP content.
func (p *pending) answerEach() {
	for range p.recipients {
		err := p.next()
		if p.unheard() {
			return // what has not begun is abandoned with the context
		}
		p.c.write(p.reply(err))
	}
}

// answerOnce writes the one reply of ESMTP (RFC 5321 §4.4). A temporary refusal of one recipient wins: the client then
// tries again for all, and no recipient's copy bounces for another's.
func (p *pending) answerOnce() {
	answer := p.reply(nil)
	for range p.recipients {
		err := p.next()
		if p.unheard() {
			return // as in answerEach
		}
		r := p.reply(err)
		if r.Code >= 400 && (answer.Code < 400 || answer.Code >= 500 && r.Code < 500) {
			answer = r
		}
	}
	p.c.write(answer)
}

var (
	errNoOutcome = errors.New("delivery gave no outcome for a recipient")
	errTooSlow   = &Error{Code: 451, Enhanced: "4.3.0", Text: "delivery takes too long, try again later", Rule: "timeout",
		Cause: context.DeadlineExceeded}
	errStopping = &Error{Code: 451, Enhanced: "4.3.2", Text: "shutting down, try again soon", Rule: "shutdown",
		Cause: context.Canceled}
)

// A pending is the outcomes of a transaction that are not known yet.
type pending struct {
	c          *conn
	ctx        context.Context
	outcomes   <-chan error
	recipients int    // how many outcomes there will be
	id         string // the transaction's
	success    string // the text of a reply for a recipient who has the message
	// late, once set, is the outcome of every further recipient: a value that comes later belongs to a recipient that
	// was answered, and would be taken for the next one's.
	late error
	gone bool // the client does not wait for its replies
}

// lastCall is how long a Transaction may take to answer for the rest when its time has ended.
const lastCall = time.Second

// next waits for the next outcome. Replies that are known go out before it waits: a slow
// mailbox delays its own reply, not those before it.
func (p *pending) next() error {
	if p.late != nil {
		return p.late
	}
	if len(p.outcomes) == 0 {
		if err := p.c.out.Flush(); err != nil {
			return err
		}
	}
	for waiting := true; waiting; {
		look := p.c.nc.lookTimer()
		select {
		case err, ok := <-p.outcomes:
			look.Stop()
			return outcome(err, ok)
		case <-p.ctx.Done():
			look.Stop()
			waiting = false
		case <-look.C:
			if p.c.nc.isGone() {
				p.late, p.gone = ErrClientGone, true
				return p.late
			}
		}
	}
	select {
	case err, ok := <-p.outcomes: // known in time, or what the Transaction makes of the end
		return outcome(err, ok)
	case <-time.After(lastCall):
	}
	p.late = errStopping
	if errors.Is(p.ctx.Err(), context.DeadlineExceeded) {
		p.late = errTooSlow
	}
	return p.late
}

// outcome is errNoOutcome for a Transaction that yields too few: the client still gets its reply.
func outcome(err error, ok bool) error {
	if !ok {
		return errNoOutcome
	}
	return err
}

// reply returns the answer for a recipient with this outcome, and logs a refusal.
func (p *pending) reply(err error) Reply {
	if err == nil {
		return Reply{Code: 250, Enhanced: "2.0.0", Text: p.success}
	}
	p.c.logRefusal(err, "command", "DATA", "transaction", p.id)
	return refusal(err, p.id)
}

// logged returns err in a form that is not logged again for each recipient.
func logged(err error) error {
	if known := knownError(err); known != nil {
		return known
	}
	internal := errInternal
	internal.Cause = err
	return &internal
}

// sameOutcome is err for each of n recipients.
func sameOutcome(err error, n int) <-chan error {
	outcomes := make(chan error, n)
	for range n {
		outcomes <- err
	}
	close(outcomes)
	return outcomes
}
