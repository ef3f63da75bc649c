package lmtp

import (
	"errors"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// rcptParams is the parameter table of RCPT.
var rcptParams = []param[Recipient]{
	{keyword: "RRVS", apply: offer.rcptRRVS, offered: offer.offersRRVS}, // RFC 7293
	{keyword: "IGNOREQUOTA", apply: offer.rcptIgnoreQuota, offered: offer.offersIgnoreQuota},
	{keyword: "NOTIFY", apply: offer.rcptNotify, offered: offer.offersDSN},  // RFC 3461 §4.1
	{keyword: "ORCPT", apply: offer.rcptOriginal, offered: offer.offersDSN}, // RFC 3461 §4.2
}

// rcpt adds a recipient.
//
//	"RCPT TO:" Forward-path [SP Rcpt-parameters]
//
// A refused recipient leaves the transaction as it was (RFC 5321 §3.3).
func (c *conn) rcpt(args string) Reply {
	// As LIMITS RCPTMAX says, refused recipients count too (RFC 9422 §3.3).
	if c.tx.rcpts++; c.tx.rcpts > c.server.Limits.Recipients {
		if c.tx.rcpts == c.server.Limits.Recipients+1 { // once: a client may send a hundred thousand
			c.log.Warn("recipients refused", "limit", "recipients", "value", c.server.Limits.Recipients, "transaction",
				c.tx.envelope.ID)
		}
		return replyRcptLimit
	}
	var room [fewParams]parameter
	path, params, refused := pathAndParams(room[:0], args, "TO:", "5.1.3")
	if refused.Code != 0 {
		return c.refuseArgument("RCPT", args, refused, nil)
	}
	c.tx.rcpt = Recipient{}
	rcpt := &c.tx.rcpt
	if refused := applyParams(c.offer(), rcptParams, params, rcpt); refused.Code != 0 {
		return c.refuseArgument("RCPT", args, refused, nil)
	}
	to, err := c.offer().parser(c.tx.envelope).ForwardPath(path)
	switch {
	case errors.Is(err, address.ErrNeedsUTF8):
		return c.refuseArgument("RCPT", args, replyRcptNeedsUTF8, err)
	case err != nil:
		return c.refuseArgument("RCPT", args, replyBadForwardPath, err)
	}
	rcpt.To = to
	err = guard.Call(func() error { return c.tx.handler.Rcpt(c.work, rcpt) })
	if err != nil {
		c.logRefusal(err, "command", "RCPT", "transaction", c.tx.envelope.ID)
		return refusal(err, c.tx.envelope.ID)
	}
	c.tx.accepted++
	c.state = stateRcpt
	return replyRcpt
}
