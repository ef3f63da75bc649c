package lmtp

import (
	"context"
	"log/slog"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A transaction is the state of one mail transaction (RFC 5321 §3.3). Its zero value is the state before MAIL.
type transaction struct {
	handler  Transaction // nil before MAIL, and when it has been committed or aborted
	envelope *Envelope
	success  string    // the text of a reply for a recipient who has the message
	rcpt     Recipient // of the RCPT being answered
	rcpts    int       // RCPT commands, refused ones too
	accepted int       // those that were accepted: each gets one reply
	content  content   // what has come by BDAT, or is coming by DATA
	forward  *Origin   // what XFORWARD said of the next message
}

// commit has the Handler deliver, once. An error is the outcome of all recipients, and is in the log.
func (t *transaction) commit(ctx context.Context, log *slog.Logger) (outcomes <-chan error, err error) {
	tx := t.handler
	t.handler = nil
	err = guard.Call(func() error { outcomes = tx.Commit(ctx); return nil })
	if err != nil {
		guard.Report(log.With("transaction", t.envelope.ID), "delivery", err)
	}
	return outcomes, err
}

// drop has the Handler abort, once; why is the answer to the accepted recipients.
func (t *transaction) drop(log *slog.Logger, why error) {
	tx := t.handler
	if tx == nil {
		return
	}
	t.handler = nil
	guard.Run(log, "handler", func() { tx.Abort(why) })
}
