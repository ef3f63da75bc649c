package delivery

import (
	"context"
	"errors"
	"log/slog"
	"path"
	"strconv"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// One line for each recipient. Keys are stable: people write filters for them.

// logDone logs the outcome of a copy that was tried.
func (t *transaction) logDone(r recipient, err error) {
	c := t.copies[r.copy]
	attrs := []slog.Attr{
		slog.String("to", r.to.Log()),
		slog.String("mailbox", r.account.Address),
		slog.Int64("size", t.message.Size()),
	}
	if err != nil {
		t.log("refused", append(attrs, slog.String("maildir", c.dest.String())), err)
		return
	}
	t.log("delivered", append(attrs, slog.String("file", path.Join(c.dest.String(), "new", t.message.Name(r.copy)))), nil)
}

// logRefused logs a recipient that RCPT refused.
func (t *transaction) logRefused(to address.Address, err error) {
	t.log("refused", []slog.Attr{slog.String("to", to.Log())}, err)
}

func (t *transaction) log(what string, attrs []slog.Attr, err error) {
	level, code := slog.LevelInfo, "250 2.0.0"
	if err != nil {
		level = slog.LevelWarn
		if e := (*lmtp.Error)(nil); errors.As(err, &e) {
			code = strconv.Itoa(e.Code) + " " + e.Enhanced
			if e.Cause == nil {
				level = slog.LevelInfo // nothing of ours is broken
			}
		}
		attrs = append(attrs, slog.String("reason", err.Error()))
	}
	all := append([]slog.Attr{
		slog.String("session", t.session.ID),
		slog.String("transaction", t.envelope.ID),
		slog.String("from", t.envelope.From.Log()),
	}, originAttrs(t.session, t.envelope)...)
	all = append(all, attrs...)
	all = append(all,
		slog.String("code", code),
		slog.Float64("ms", float64(t.agent.now().Sub(t.begun))/float64(time.Millisecond)))
	t.agent.Log.LogAttrs(context.Background(), level, what, all...)
}
