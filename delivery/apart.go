package delivery

import (
	"context"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/delivery/state"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// An alias has one reply for several mailboxes. Where one of them cannot have the message now the client sends it again
// for all. So it is remembered which of them have it: they are delivered to apart, at each attempt those that lack it.
// Marks are on the disk before the reply that makes the client come again. Where that cannot be, or cannot be known, an
// alias is delivered all or none.

const (
	// recallPatience bounds the questions whether a message came before, and rememberPatience the wait for the disk. A
	// client waits ten minutes for its replies (RFC 5321 §4.5.3.2.6).
	recallPatience   = 2 * time.Second
	rememberPatience = 6 * time.Second
)

// marking is how far it is remembered who of a recipient has the message.
type marking int

const (
	unmarked marking = iota
	beingMarked
	marked // as far as it could be
)

// hasOneReply reports whether the client gets one reply for all recipients.
func (t *transaction) hasOneReply() bool { return t.session.Protocol == lmtp.ESMTP && !t.envelope.PRDR }

// isSeveral reports whether a recipient stands for several mailboxes.
func (r *recipient) isSeveral() bool { return len(r.parts) > 1 || r.later != nil }

// mayHaveCome reports whether the message may have been delivered in part before, so that its digest is needed.
func (t *transaction) mayHaveCome() bool {
	if t.agent.State == nil || t.hasOneReply() {
		return false
	}
	for i := range t.recipients {
		if t.recipients[i].isSeveral() {
			return true
		}
	}
	return false
}

// recall finds out who has the message since an earlier attempt, and who can be delivered to apart.
func (o *outcomes) recall(ctx context.Context) {
	t := o.t
	if t.digest == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recallPatience)
	defer cancel()
	content := string(t.digest.Sum(nil))
	for i := range t.recipients {
		r := &t.recipients[i]
		if !r.isSeveral() {
			continue
		}
		subject := state.KeyOf("alias", t.envelope.From.Path(), r.to.Path(), content)
		has, err := t.agent.State.Recall(ctx, subject)
		if err != nil { // the store says why; without it an alias is delivered all or none
			return
		}
		o.mu.Lock()
		r.subject, r.apart = subject, t.agent.State.Keeps()
		for j := range r.parts {
			r.parts[j].has = has[r.parts[j].item()]
		}
		o.mu.Unlock()
	}
}

// item stands for the mailbox of a part.
func (p *part) item() state.Key {
	box := p.action.For()
	return state.KeyOf("mailbox", box.Account.Key.Local, box.Account.Key.Domain, box.Detail)
}

// remember has it remembered who has the message of a recipient that is deferred, and of all others that are as far. It
// reports whether the recipient waits for that. o.mu is held.
func (o *outcomes) remember(r *recipient, err error) (waits bool) {
	if r.marking == unmarked && r.apart && route.Defers(err) {
		o.markAll()
	}
	return r.marking == beingMarked
}

// markAll writes the marks of all recipients that need some, in one go. o.mu is held.
func (o *outcomes) markAll() {
	var marks []state.Mark
	var of []*marking
	for i := o.next; i < len(o.t.recipients); i++ {
		r := &o.t.recipients[i]
		if err, ok := o.outcome(r); !ok || !r.apart || r.marking != unmarked || !route.Defers(err) {
			continue
		}
		before := len(marks)
		for j := range r.parts {
			if p := &r.parts[j]; !p.has && o.outcomeOf(*p) == nil {
				marks = append(marks, state.Mark{Subject: r.subject, Item: p.item()})
			}
		}
		if r.marking = marked; len(marks) > before {
			r.marking = beingMarked
			of = append(of, &r.marking)
		}
	}
	if len(marks) == 0 {
		return
	}
	o.beforeAnswer(of, func(ctx context.Context) {
		if err := o.t.agent.State.Remember(ctx, marks); err != nil {
			o.t.agent.Log.Warn("cannot remember who has the message: they get it again when the client tries again",
				"transaction", o.t.envelope.ID, "copies", len(marks), "error", err)
		}
	})
}

// beforeAnswer has something written, also if the client has gone, and then answers those that it is marked for. o.mu
// is held.
func (o *outcomes) beforeAnswer(of []*marking, write func(context.Context)) {
	o.marking.Go(func() {
		defer func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			for _, m := range of {
				*m = marked
			}
			if !o.closed {
				o.answer()
			}
		}()
		ctx, cancel := context.WithTimeout(context.Background(), rememberPatience)
		defer cancel()
		write(ctx)
	})
}

// forget forgets a message that the client does not send again. o.mu is held.
func (o *outcomes) forget(r *recipient, err error) {
	has := false
	for _, p := range r.parts {
		has = has || p.has
	}
	if !has || route.Defers(err) {
		return
	}
	o.marking.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), rememberPatience)
		defer cancel()
		if err := o.t.agent.State.Forget(ctx, r.subject); err != nil { // it is forgotten when its time is over
			o.t.agent.Log.Debug("forget who has the message", "transaction", o.t.envelope.ID, "error", err)
		}
	})
}
