package delivery

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Commit ends the content and delivers. LMTP recipients succeed and fail each on their own; ESMTP has one reply for
// all, so that their copies become visible all or none, unless the client asked for PRDR, which is LMTP's way. The
// copies of one recipient become visible all or none by either, as the client tries again for all of them, unless it is
// remembered which of them were delivered (apart.go).
//
// The work has a goroutine of its own, even for one copy: a file system that hangs must not
// keep the session from telling its client so.
func (t *transaction) Commit(ctx context.Context) (out <-chan error) {
	defer func() {
		if out == nil { // a panic: no other method is called after it
			t.Abort(nil)
		}
	}()
	t.committed = t.agent.now()
	t.begin()
	_ = t.head.Close() // sink takes everything
	looped := t.looped()
	o := &outcomes{
		t:     t,
		one:   t.hasOneReply(),
		out:   make(chan error, len(t.recipients)),
		known: make([]bool, len(t.copies)),
		errs:  make([]error, len(t.copies)),
	}
	if looped != nil {
		t.content.Close()
		o.all(looped)
		return o.out
	}
	t.refuseByHeader(t.head.Header()) // again, by fields that did not come in time for that
	o.mu.Lock()
	o.expiry = context.AfterFunc(ctx, func() {
		o.report(guard.Call(func() error { o.expire(context.Cause(ctx)); return nil }))
	})
	o.mu.Unlock()
	go func() {
		growStack()
		o.report(guard.Call(func() error { o.deliver(ctx); return nil }))
	}()
	return o.out
}

// growStack has a goroutine get the stack that a delivery needs while next to nothing is on it: growing on the way
// copied all frames, twice for each delivery, which took 4 % of its processor time on a disk and a tenth in memory.
//
//go:noinline
func growStack() {
	var room [12 << 10]byte
	runtime.KeepAlive(&room)
}

// report logs a panic.
func (o *outcomes) report(err error) {
	if err != nil { // for which alone a logger with the transaction is made
		guard.Report(o.t.agent.Log.With("transaction", o.t.envelope.ID), "delivery", err)
	}
}

// outcomes turns the outcomes of copies, in whatever order, into the outcomes of recipients, in the
// order of RCPT.
type outcomes struct {
	t   *transaction
	one bool       // reply for all
	out chan error // has room for all, so that sending never waits

	mu    sync.Mutex
	known []bool  // by copy
	errs  []error // by copy
	next  int     // the first recipient without a reported outcome

	expiry func() bool // stops the wait for the end of ctx
	closed bool

	marking guard.Group     // writes what is to be remembered
	untrue  []*outbox.Draft // reports of success that turned out to be of failure
	counted bool            // a report against what the sender may have
	tooMany bool            // it is more than that: none is sent
}

// deliver delivers the copies, and reports each outcome as soon as it can.
func (o *outcomes) deliver(ctx context.Context) {
	defer o.end() // after a panic, recipients without an outcome get 451
	defer o.discard()
	defer o.marking.Wait()
	message := o.t.message
	defer o.t.content.Close()
	o.recall(ctx)
	if o.t.top != nil { // reports are owed
		o.stage(ctx)
	}
	sets, each, refused := o.t.sets()
	done := func(copy int, err error) {
		if errors.Is(err, context.Canceled) { // the cause says more
			err = cmp.Or(context.Cause(ctx), err)
		}
		o.done(copy, err)
	}
	switch {
	case o.one && refused != nil:
		o.all(refused)
	case each && (!o.one || len(o.t.copies) == 1):
		message.Commit(ctx, done)
	default:
		message.CommitSets(ctx, mailbox.Sets{Of: sets, Together: o.one, Spare: o.spares}, done)
	}
}

// spares reports whether an alias is delivered without a mailbox that has refused its copy with err: for good, as RCPT
// would leave it out.
func (o *outcomes) spares(copy int, err error) bool {
	return !route.Defers(o.t.agent.Router.ReplyFor(o.t.copies[copy].action, err))
}

// all sets the same outcome for every copy.
func (o *outcomes) all(err error) {
	for i := range o.known {
		o.done(i, err)
	}
}

// done notes the outcome of a copy, and reports those of the recipients whose turn it is.
func (o *outcomes) done(copy int, err error) {
	if err == nil {
		o.t.warn(copy)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return // too late: it was answered for, and the client will try again
	}
	c := o.t.copies[copy]
	o.known[copy], o.errs[copy] = true, o.t.agent.Router.ReplyFor(c.action, err)
	o.answer()
}

// answer reports the outcomes of the recipients whose turn it is. o.mu is held.
func (o *outcomes) answer() {
	for o.next < len(o.t.recipients) {
		r := &o.t.recipients[o.next]
		err, ok := o.outcome(r)
		if !ok || o.remember(r, err) || o.keepPromises(r, err) {
			break
		}
		for _, p := range r.parts {
			if p.has {
				o.t.logHas(r, p)
				continue
			}
			of := o.outcomeOf(p)
			if of == nil && err != nil && !r.apart { // it is there for another recipient
				of = o.t.agent.Router.Reply(mailbox.ErrTogether)
			}
			o.t.logDone(r, p, of)
		}
		o.out <- err // only now: a server may be stopped as soon as its clients are answered
		o.next++
		o.forget(r, err)
	}
	if o.next == len(o.t.recipients) {
		o.close()
	}
}

// outcome is that of a recipient, once all of its copies have theirs: with one reply for all, those of all recipients.
func (o *outcomes) outcome(r *recipient) (err error, ok bool) {
	if !o.one {
		return o.outcomeOfAll(r)
	}
	for i := range o.t.recipients {
		one, known := o.outcomeOfAll(&o.t.recipients[i])
		if !known {
			return nil, false
		}
		err = route.Worse(err, one)
	}
	return err, true
}

// outcomeOfAll is that of a recipient by its copies: it is refused if one of them is for now, or all are for good.
func (o *outcomes) outcomeOfAll(r *recipient) (err error, ok bool) {
	stored := false
	err = r.later
	for _, p := range r.parts {
		if !p.has && !o.known[p.copy] {
			return nil, false
		}
		one := o.outcomeOf(p)
		stored = stored || one == nil
		err = route.Worse(err, one)
	}
	if stored && !route.Defers(err) {
		return nil, true
	}
	return err, true
}

// outcomeOf is that of one part of a recipient.
func (o *outcomes) outcomeOf(p part) error {
	if p.has {
		return nil
	}
	return cmp.Or(p.refused, o.errs[p.copy])
}

// expire ends the wait for copies that hang, so that the recipients after them get their outcomes: a
// copy that is stored but not acknowledged is stored again.
func (o *outcomes) expire(why error) {
	for i := range o.known {
		if !o.has(i) {
			o.done(i, why)
		}
	}
}

func (o *outcomes) has(copy int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.known[copy]
}

// end closes the channel, if it is still open.
func (o *outcomes) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.close()
}

func (o *outcomes) close() {
	if !o.closed {
		o.t.release()
		close(o.out)
		o.closed = true
		if o.expiry != nil {
			o.expiry()
		}
	}
}
