package delivery

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
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

// Reports are what an Agent does about the reports of success that are owed.
type Reports struct {
	// Outbox takes them. [there are none: DSN must not be offered]
	Outbox *outbox.Box
	// Header is how much of the message's header they bring back, in octets.
	Header int
}

// A promise is the report of success that is owed on a recipient.
type promise struct {
	draft *outbox.Draft // nil: not staged
	kept  marking
}

var errOutboxFull = &lmtp.Error{
	Code: 452, Enhanced: "4.3.1", Text: "too many reports are waiting, try again later", Rule: "outbox",
	Cause: outbox.ErrFull,
}

// promiseFor is what the sender is owed on a recipient; nil: nothing.
func (t *transaction) promiseFor(r *lmtp.Recipient) *promise {
	from := t.envelope.From
	if t.agent.Reports.Outbox == nil || r.Notify&lmtp.NotifySuccess == 0 || from.IsNull() { // RFC 3461 §5.2: never to <>
		return nil
	}
	if !utf8.ValidString(from.String()) {
		t.log("report dropped", nil, slog.String("to", r.To.Log()), slog.String("reason", "sender is not UTF-8"))
		return nil
	}
	return &promise{}
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
	if !o.isWithinRate() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	places := make(chan struct{}, reportsAtOnce)
	var group guard.Group
	for i := range t.recipients {
		r := &t.recipients[i]
		if r.promise == nil || r.isRefused() {
			continue
		}
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			draft, err := t.agent.Reports.Outbox.Stage(ctx, t.entry(r))
			o.mu.Lock()
			defer o.mu.Unlock()
			if r.promise.draft = draft; err != nil {
				r.refuse(t.outboxReply(err))
			}
		})
	}
	group.Wait()
}

// isWithinRate reports whether the sender may have one more report. Without it the message is delivered all the same.
func (o *outcomes) isWithinRate() bool {
	t := o.t
	if t.agent.Reports.Outbox.Take(t.envelope.From.String()) {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	dropped := 0
	for i := range t.recipients {
		if t.recipients[i].promise != nil {
			t.recipients[i].promise = nil
			dropped++
		}
	}
	t.agent.Log.Warn("report dropped", "reason", "rate", "transaction", t.envelope.ID, "to", t.envelope.From.Log(),
		"recipients", dropped)
	return false
}

// entry has the facts of a report.
func (t *transaction) entry(r *recipient) outbox.Entry {
	return outbox.Entry{
		Transaction: t.envelope.ID, Sender: t.envelope.From.String(), EnvelopeID: t.envelope.EnvelopeID,
		Original: r.original, Final: r.to.String(), Arrived: t.committed, Header: t.top.header(), Cut: t.top.cut,
	}
}

func (t *transaction) outboxReply(err error) error {
	if errors.Is(err, outbox.ErrFull) {
		return errOutboxFull
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
	if r.promise == nil || r.promise.draft == nil || err != nil {
		return false // what is not kept is discarded in the end
	}
	if r.promise.kept == unmarked {
		o.publish()
	}
	return r.promise.kept == beingMarked
}

// publish has reports sent. o.mu is held.
func (o *outcomes) publish() {
	var drafts []*outbox.Draft
	var of []*marking
	var to []address.Address
	for i := o.next; i < len(o.t.recipients); i++ {
		r := &o.t.recipients[i]
		p := r.promise
		if err, ok := o.outcome(r); !ok || err != nil || p == nil || p.draft == nil || p.kept != unmarked {
			continue
		}
		p.kept = beingMarked
		drafts, of, to = append(drafts, p.draft), append(of, &p.kept), append(to, r.to)
	}
	o.beforeAnswer(of, func(ctx context.Context) {
		// The message is there: to refuse it now would be to have it twice.
		if err := o.t.agent.Reports.Outbox.Publish(ctx, drafts...); err != nil {
			o.t.agent.Log.Error("report dropped", "reason", "lost", "transaction", o.t.envelope.ID, "recipients", len(drafts),
				"error", err)
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
	var drafts []*outbox.Draft
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
