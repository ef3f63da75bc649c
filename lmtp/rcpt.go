package lmtp

import (
	"errors"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// rcptParams is the parameter table of RCPT: no extension that is offered adds one.
var rcptParams = []param[Recipient]{}

// rcpt adds a recipient.
//
//	"RCPT TO:" Forward-path [SP Rcpt-parameters]
//
// A refused recipient leaves the transaction as it was (RFC 5321 §3.3).
func (c *conn) rcpt(args string) Reply {
	// As LIMITS RCPTMAX says, refused recipients count too (RFC 9422 §3.3).
	if c.rcpts++; c.rcpts > c.server.MaxRecipients {
		c.log.Warn("recipient refused", "limit", "recipients", "value", c.server.MaxRecipients, "transaction", c.envelope.ID)
		return replyRcptLimit
	}
	path, params, refused := pathAndParams(args, "TO:", "5.1.3")
	if refused.Code != 0 {
		return refused
	}
	rcpt := &Recipient{}
	if refused := applyParams(c, rcptParams, params, rcpt); refused.Code != 0 {
		return refused
	}
	to, err := address.ParseForwardPath(path, c.envelope.SMTPUTF8)
	switch {
	case errors.Is(err, address.ErrNeedsUTF8):
		return Reply{Code: 553, Enhanced: "5.6.7", Text: "an internationalized address needs SMTPUTF8"}
	case err != nil:
		return Reply{Code: 501, Enhanced: "5.1.3", Text: "bad forward-path"}
	}
	rcpt.To = to
	err = guard(func() error { return c.tx.Rcpt(c.context(), rcpt) })
	if err != nil {
		c.logRefusal(err, "command", "RCPT", "transaction", c.envelope.ID)
		return refusal(err, c.envelope.ID)
	}
	c.accepted++
	c.state = stateRcpt
	return replyRcpt
}
