package delivery

import (
	"context"
	"runtime/debug"
	"sync"

	"github.com/doorstep-mail/doorstep/lmtp"
)

// Commit ends the content and delivers. LMTP recipients succeed and fail each on their own;
// ESMTP has one reply for all, so that their copies become visible all or none.
func (t *transaction) Commit(ctx context.Context) <-chan error {
	t.begin()
	o := &outcomes{t: t, known: make([]bool, len(t.copies)), errs: make([]error, len(t.copies)),
		out: make(chan error, len(t.recipients))}
	switch {
	case t.head.Close() != nil: // only errLoop, at the very end
		t.message.Abort()
		o.all(errLoop)
	case t.session.Protocol == lmtp.ESMTP:
		o.all(t.message.CommitAll(ctx))
	case len(t.copies) == 1:
		t.message.Commit(ctx, o.done)
	default:
		go o.each(ctx)
	}
	return o.out
}

// outcomes turns what becomes of the copies, in whatever order, into what the recipients are
// told, in theirs.
type outcomes struct {
	t   *transaction
	out chan error // has room for all, so that sending never waits

	mu    sync.Mutex
	known []bool  // by copy
	errs  []error // by copy
	next  int     // the first recipient that was not told
}

// each delivers the copies, and tells of each as soon as it can.
func (o *outcomes) each(ctx context.Context) {
	defer func() {
		if p := recover(); p != nil {
			o.t.agent.Log.Error("panic in a delivery", "transaction", o.t.envelope.ID, "panic", p, "stack", string(debug.Stack()))
			close(o.out) // who has no outcome yet is told 451
		}
	}()
	o.t.message.Commit(ctx, o.done)
}

// all gives every copy the same outcome.
func (o *outcomes) all(err error) {
	for i := range o.known {
		o.done(i, err)
	}
}

// done notes the outcome of a copy, and tells the recipients whose turn it is.
func (o *outcomes) done(copy int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known[copy], o.errs[copy] = true, reply(err)
	for o.next < len(o.t.recipients) && o.known[o.t.recipients[o.next].copy] {
		r := o.t.recipients[o.next]
		o.out <- o.errs[r.copy]
		o.t.logDone(r, o.errs[r.copy])
		o.next++
	}
	if o.next == len(o.t.recipients) {
		close(o.out)
		o.next++ // once
	}
}
