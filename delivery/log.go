package delivery

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/route"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// One line for each recipient, and for each mailbox where one is an alias for several. Keys are
// stable: people write filters for them.

// logDone logs what became of a copy that was tried for a recipient.
func (t *transaction) logDone(r *recipient, p part, err error) {
	c := t.copies[p.copy]
	what, place := "refused", slog.String("maildir", c.dest.String())
	if err == nil {
		what, place = "delivered", slog.String("file", c.dest.String()+"/new/"+t.message.Name(p.copy))
	}
	box := address.Shown(p.action.For().Account.Address)
	t.observe(Outcome{To: r.to, Mailbox: box, Size: t.content.Size(), Err: err})
	attrs := append(make([]slog.Attr, 0, 6), slog.String("to", r.to.Log()), slog.String("mailbox", box),
		slog.Int64("size", t.content.Size()), place)
	if r.notify != 0 {
		attrs = append(attrs, slog.String("notify", strings.ToLower(r.notify.String())))
	}
	if !r.original.IsZero() {
		attrs = append(attrs, slog.String("orcpt", address.Readable(r.original.String())))
	}
	t.log(what, err, attrs...)
}

// logQueued logs a report that will be sent.
func (t *transaction) logQueued(to address.Address, entry string) {
	t.agent.Log.LogAttrs(context.Background(), slog.LevelInfo, "report queued",
		slog.String("session", t.session.ID),
		slog.String("transaction", t.envelope.ID),
		slog.String("from", t.envelope.From.Log()),
		slog.String("to", to.Log()),
		slog.String("entry", entry))
}

// logHas logs a mailbox of an alias that has the message since an earlier attempt.
func (t *transaction) logHas(r *recipient, p part) {
	t.log("delivered before", nil, slog.String("to", r.to.Log()),
		slog.String("mailbox", address.Shown(p.action.For().Account.Address)))
}

// logRefused logs a recipient that RCPT refused. If that is because of a mailbox of an alias, the line names it.
func (t *transaction) logRefused(to address.Address, d route.Decision) {
	for _, r := range d.Refusals {
		if errors.Is(r.Err, d.Err) {
			t.logMember(to, r)
			return
		}
	}
	t.observe(Outcome{To: to, Err: d.Err})
	t.log("refused", d.Err, slog.String("to", to.Log()))
}

// logMember logs a mailbox of an alias that RCPT refused, be it that the others get the message or not.
func (t *transaction) logMember(to address.Address, r route.Refusal) {
	t.observe(Outcome{To: to, Mailbox: r.Mailbox, Err: r.Err})
	t.log("refused", r.Err, slog.String("to", to.Log()), slog.String("mailbox", r.Mailbox))
}

// log writes the line, with of the recipient what only its caller knows.
func (t *transaction) log(what string, err error, recipient ...slog.Attr) {
	level, code := slog.LevelInfo, "250 2.0.0"
	if err != nil {
		level = slog.LevelWarn
		if e := (*lmtp.Error)(nil); errors.As(err, &e) {
			code = strconv.Itoa(e.Code) + " " + e.Enhanced
			if e.Cause == nil || errors.Is(e.Cause, mailbox.ErrOverQuota) {
				level = slog.LevelInfo // nothing of ours is broken
			}
		}
	}
	attrs := make([]slog.Attr, 0, 18) // enough for nearly all lines
	attrs = append(attrs,
		slog.String("session", t.session.ID),
		slog.String("peer", t.session.PeerName()),
		slog.String("transaction", t.envelope.ID),
		slog.String("from", t.envelope.From.Log()))
	attrs = append(attrs, originAttrs(t.session, t.envelope)...)
	attrs = append(attrs, recipient...)
	if err != nil {
		guard.Report(t.agent.Log.With("transaction", t.envelope.ID), "delivery", err)
		attrs = append(attrs, slog.String("rule", lmtp.RuleOf(err)), slog.String("reason", err.Error()))
	}
	attrs = append(attrs,
		slog.String("code", code),
		slog.Float64("ms", float64(t.agent.now().Sub(t.begun))/float64(time.Millisecond)))
	t.agent.Log.LogAttrs(context.Background(), level, what, attrs...)
}
