package delivery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A client that was offered DSN leaves the reports of success to us (RFC 3461 §5.2.3). A report is staged in the outbox
// before the message is delivered, and published when its recipient has it, before the reply: so there is one of each
// message that was acknowledged, and none of one that is not there. What fails is reported by the client, which reads
// our reply.

const (
	// reportsAtOnce is how many reports of a message are staged at the same time: file systems share the syncs of those
	// who wait together.
	reportsAtOnce = 16
	// reportPatience bounds the wait for the outbox.
	reportPatience = 6 * time.Second
)

// Reports are what an Agent does about the reports that are owed.
type Reports struct {
	// Outbox takes them. [there are none: DSN must not be offered]
	Outbox *outbox.Box
	// Header is how much of the message's header they bring back, in octets.
	Header int
}

// A promise is the report that is owed on a recipient who has the message.
type promise struct {
	failures []error       // of mailboxes that the recipient stands for; none: it is a report of success
	draft    *outbox.Draft // nil: not staged
	kept     marking
}

var errOutboxFull = &lmtp.Error{
	Code: 452, Enhanced: "4.3.1", Text: "too many reports are waiting, try again later", Rule: "outbox",
	Cause: outbox.ErrFull,
}

// canReport reports whether the sender can be sent reports: never <> (RFC 3461 §5.2).
func (t *transaction) canReport() bool {
	from := t.envelope.From
	return t.agent.Reports.Outbox != nil && !from.IsNull() && utf8.ValidString(from.String())
}

// promiseFor is what the sender is owed on a recipient who gets the message; nil: nothing.
func (t *transaction) promiseFor(r *lmtp.Recipient) *promise {
	switch {
	case r.Notify&lmtp.NotifySuccess == 0:
		return nil
	case t.canReport():
		return &promise{}
	case t.agent.Reports.Outbox != nil && !t.envelope.From.IsNull():
		t.log("report dropped", nil, slog.String("to", r.To.Log()), slog.String("reason", "sender is not UTF-8"))
	}
	return nil
}

// A top keeps the header of a message as it came, up to a number of octets.
type top struct {
	most int
	kept []byte
	cut  bool
	over bool
}

// Write never fails.
func (h *top) Write(p []byte) (int, error) {
	if h.over {
		return len(p), nil
	}
	from := max(len(h.kept)-len("\n\r"), 0)
	h.kept = append(h.kept, p[:min(len(p), h.most-len(h.kept)+1)]...)
	if end := endOfHeader(h.kept, from); end >= 0 {
		h.kept, h.over = h.kept[:end], true
	} else if len(h.kept) > h.most {
		end := max(bytes.LastIndexByte(h.kept[:h.most], '\n')+1, 0)
		h.kept, h.over, h.cut = h.kept[:end], true, true
	}
	return len(p), nil
}

// endOfHeader is where the empty line begins, looked for from an octet on; -1: not yet.
func endOfHeader(text []byte, from int) int {
	if bytes.HasPrefix(text, []byte("\r\n")) || bytes.HasPrefix(text, []byte("\n")) {
		return 0
	}
	for i := from; i < len(text); i++ {
		if text[i] == '\n' && (bytes.HasPrefix(text[i+1:], []byte("\n")) || bytes.HasPrefix(text[i+1:], []byte("\r\n"))) {
			return i + 1
		}
	}
	return -1
}

// header is what a report brings back: without an mbox line, which is no field.
func (h *top) header() []byte {
	if bytes.HasPrefix(h.kept, []byte("From ")) {
		_, rest, _ := bytes.Cut(h.kept, []byte("\n"))
		return rest
	}
	return h.kept
}

// stage makes the reports durable that may be owed. A recipient whose report cannot be is not delivered to: the client
// would not know that it has to report itself.
func (o *outcomes) stage(ctx context.Context) {
	t := o.t
	promises := o.foresee()
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	places := make(chan struct{}, reportsAtOnce)
	var group guard.Group
	for i := range t.recipients {
		r, p := &t.recipients[i], promises[i]
		if p == nil {
			continue
		}
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			draft, err := t.agent.Reports.Outbox.Stage(ctx, t.entry(r, p))
			o.mu.Lock()
			defer o.mu.Unlock()
			if p.draft = draft; err != nil {
				r.refuse(t.outboxReply(err))
			}
		})
	}
	group.Wait()
}

// foresee returns the promises that are due by what is known before the delivery, by recipient.
func (o *outcomes) foresee() []*promise {
	o.mu.Lock()
	defer o.mu.Unlock()
	promises, owed := make([]*promise, len(o.t.recipients)), false
	for i := range o.t.recipients {
		if r := &o.t.recipients[i]; !r.isRefused() {
			o.owe(r)
			promises[i] = r.promise
			owed = owed || r.promise != nil
		}
	}
	if owed && !o.isWithinRate() {
		clear(promises)
	}
	return promises
}

// isWithinRate reports whether the sender may have one more report, of all recipients. Without it the message is
// delivered all the same. o.mu is held.
func (o *outcomes) isWithinRate() bool {
	t := o.t
	if o.counted {
		return !o.tooMany
	}
	var owed []*recipient
	for i := range t.recipients {
		if r := &t.recipients[i]; r.promise != nil {
			owed = append(owed, r)
		}
	}
	o.counted, o.tooMany = true, !t.agent.Reports.Outbox.Take(t.envelope.From.String(), len(owed))
	if !o.tooMany {
		return true
	}
	for _, r := range owed {
		r.promise = nil
	}
	t.agent.Log.Warn("report dropped", "reason", "rate", "transaction", t.envelope.ID, "to", t.envelope.From.Log(),
		"recipients", len(owed))
	return false
}

// entry has the facts of a report.
func (t *transaction) entry(r *recipient, p *promise) outbox.Entry {
	return outbox.Entry{
		Transaction: t.envelope.ID, Sender: t.envelope.From.String(), EnvelopeID: t.envelope.EnvelopeID,
		Original: r.original, Final: r.to.String(), Arrived: t.committed, Header: t.top.header(), Cut: t.top.cut,
		Failures: reasons(p.failures), RequireTLS: t.envelope.RequireTLS,
	}
}

func (t *transaction) outboxReply(err error) error {
	if errors.Is(err, outbox.ErrFull) {
		return errOutboxFull
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &lmtp.Error{Code: 452, Enhanced: "4.3.1", Text: "mail system is full", Rule: "outbox", Cause: err}
	}
	return &lmtp.Error{Code: 451, Enhanced: "4.3.0", Text: "temporary failure, try again later", Rule: "outbox",
		Cause: err}
}

// isRefused reports whether no mailbox of the recipient gets the message.
func (r *recipient) isRefused() bool {
	for _, p := range r.parts {
		if p.refused == nil {
			return false
		}
	}
	return true
}

// refuse has no mailbox of the recipient get the message.
func (r *recipient) refuse(why error) {
	for i := range r.parts {
		if r.parts[i].refused == nil {
			r.parts[i].refused = why
		}
	}
}

// keepPromises has reports sent of all recipients who are as far, and reports whether this one waits for that. o.mu is
// held.
func (o *outcomes) keepPromises(r *recipient, err error) (waits bool) {
	if err != nil {
		return false // what is not kept is discarded in the end
	}
	o.owe(r)
	if r.promise != nil && r.promise.kept == unmarked {
		o.publish()
	}
	return r.promise != nil && r.promise.kept == beingMarked
}

// publish has reports sent. Those of failures that came with the last step of the delivery are staged first. o.mu is
// held.
func (o *outcomes) publish() {
	var drafts []*outbox.Draft
	var late []outbox.Entry
	var of []*marking
	var to, lateTo []address.Address
	for i := o.next; i < len(o.t.recipients); i++ {
		r := &o.t.recipients[i]
		if err, ok := o.outcome(r); !ok || err != nil {
			continue
		}
		o.owe(r)
		p := r.promise
		switch {
		case p == nil || p.kept != unmarked:
			continue
		case p.draft != nil:
			drafts, to = append(drafts, p.draft), append(to, r.to)
		case o.isWithinRate():
			late, lateTo = append(late, o.t.entry(r, p)), append(lateTo, r.to)
		default:
			continue
		}
		p.kept = beingMarked
		of = append(of, &p.kept)
	}
	if len(of) == 0 {
		return
	}
	o.beforeAnswer(of, func(ctx context.Context) {
		// The message is there: to refuse it now would be to have it twice.
		for i, e := range late {
			draft, err := o.t.agent.Reports.Outbox.Stage(ctx, e)
			if err != nil {
				o.t.agent.Log.Error("report dropped", "reason", "lost", "transaction", o.t.envelope.ID, "error", err)
				continue
			}
			drafts, to = append(drafts, draft), append(to, lateTo[i])
		}
		if err := o.t.agent.Reports.Outbox.Publish(ctx, drafts...); err != nil {
			o.t.agent.Log.Error("report is late, and lost if the server ends before the outbox can be written to",
				"transaction", o.t.envelope.ID, "recipients", len(drafts), "error", err)
			return
		}
		for i, draft := range drafts {
			o.t.logQueued(to[i], draft.Name())
		}
	})
}

// discard removes the reports on recipients who do not have the message.
func (o *outcomes) discard() {
	o.mu.Lock()
	drafts := o.untrue
	for i := range o.t.recipients {
		if p := o.t.recipients[i].promise; p != nil && p.draft != nil && p.kept == unmarked {
			drafts = append(drafts, p.draft)
		}
	}
	o.mu.Unlock()
	if len(drafts) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), reportPatience)
	defer cancel()
	if err := o.t.agent.Reports.Outbox.Discard(ctx, drafts...); err != nil {
		o.t.agent.Log.Warn("reports that are not sent stay in the outbox's tmp for an hour", "transaction", o.t.envelope.ID,
			"error", err)
	}
}

// An alias is answered 250 when one of its mailboxes has the message and the others refuse it for good. The client does
// not report those, as it knows nothing of them. So the sender is owed a report of failure by us, unless he wants none
// (RFC 3461 §5.2: who says nothing wants it). It is staged and published as one of success is, in whose place it comes:
// an alias has the message when all of its mailboxes have it.

// leftOut are the refusals for good of those that RCPT left out.
func leftOut(all []route.Refusal) (left []error) {
	for _, r := range all {
		if !route.Defers(r.Err) {
			left = append(left, r.Err)
		}
	}
	return left
}

// owesFailures reports whether a report may be owed because of mailboxes that a recipient stands for.
func (t *transaction) owesFailures(r *recipient) bool {
	wanted := r.notify == 0 || r.notify&lmtp.NotifyFailure != 0
	return wanted && len(r.parts)+len(r.left) > 1 && t.canReport()
}

// owe makes the promise that is due by what is known of the mailboxes of a recipient. o.mu is held.
func (o *outcomes) owe(r *recipient) {
	if o.t.top == nil || o.tooMany || !o.t.owesFailures(r) {
		return
	}
	failures := slices.Clone(r.left)
	for _, p := range r.parts {
		if err := o.outcomeOf(p); err != nil && !route.Defers(err) {
			failures = append(failures, err)
		}
	}
	if len(failures) == 0 || r.promise != nil && len(r.promise.failures) == len(failures) {
		return
	}
	if r.promise != nil && r.promise.draft != nil {
		o.untrue = append(o.untrue, r.promise.draft)
	}
	r.promise = &promise{failures: failures}
}

// reasons are the failures of a report, each once: that mailboxes refuse it alike does not show.
func reasons(of []error) (list []outbox.Failure) {
	for _, err := range of {
		var e *lmtp.Error
		if !errors.As(err, &e) {
			continue // it would not be for good
		}
		reply := strings.Map(func(c rune) rune {
			if c < ' ' || c > '~' {
				return '?'
			}
			return c
		}, strconv.Itoa(e.Code)+" "+e.Enhanced+" "+e.Text)
		if f := (outbox.Failure{Status: e.Enhanced, Reply: reply}); !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list
}
