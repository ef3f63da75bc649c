package lmtp

import (
	"errors"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// mailParams is the parameter table of MAIL.
var mailParams = []param[Envelope]{
	{keyword: "SIZE", apply: offer.mailSize}, // RFC 1870
	// RFC 6152, RFC 3030
	{keyword: "BODY", apply: offer.mailBody},
	{keyword: "SMTPUTF8", apply: offer.mailSMTPUTF8},                                                    // RFC 6531
	{keyword: "MT-PRIORITY", apply: offer.mailPriority, offered: offer.offersPriority, syntax: "5.5.2"}, // RFC 6710
	{keyword: "PRDR", apply: offer.mailPRDR, offered: offer.offersPRDR},
	{keyword: "AUTH", apply: offer.mailAuth, offered: offer.offersAuth},                   // RFC 4954 §5
	{keyword: "REQUIRETLS", apply: offer.mailRequireTLS, offered: offer.offersRequireTLS}, // RFC 8689 §4
	{keyword: "RET", apply: offer.mailReturn, offered: offer.offersDSN},                   // RFC 3461 §4.3
	{keyword: "ENVID", apply: offer.mailEnvelopeID, offered: offer.offersDSN},             // RFC 3461 §4.4
}

// mail begins a transaction.
//
//	"MAIL FROM:" Reverse-path [SP Mail-parameters]
//
// The reverse-path is parsed after the parameters, because they say whether it may be
// internationalized.
func (c *conn) mail(args string) Reply {
	// As LIMITS MAILMAX says, refused ones count too (RFC 9422 §3).
	if c.count.mails++; c.server.Limits.Transactions > 0 && c.count.mails > c.server.Limits.Transactions {
		c.log.Info("session ended", "limit", "transactions", "value", c.server.Limits.Transactions)
		return replyMailLimit
	}
	origin := c.tx.forward
	c.tx.forward = nil
	var room [fewParams]parameter
	path, params, refused := pathAndParams(room[:0], args, "FROM:", "5.1.7")
	if refused.Code != 0 {
		return c.refuseArgument("MAIL", args, refused, nil)
	}
	env := &Envelope{Origin: origin}
	if refused := applyParams(c.offer(), mailParams, params, env); refused.Code != 0 {
		return c.refuseArgument("MAIL", args, refused, nil)
	}
	from, err := c.offer().parser(env).ReversePath(path)
	switch {
	case errors.Is(err, address.ErrNeedsUTF8):
		return c.refuseArgument("MAIL", args, replyMailNeedsUTF8, err)
	case err != nil:
		return c.refuseArgument("MAIL", args, replyBadReversePath, err)
	}
	env.From = from
	env.ID, c.tx.success = c.session.nextID()

	var tx Transaction
	err = guard.Call(func() (err error) {
		tx, err = c.server.Handler.Mail(c.work, c.session, env)
		if err == nil && tx == nil {
			err = errors.New("handler began no transaction")
		}
		return err
	})
	if err != nil {
		c.logRefusal(err, "command", "MAIL", "transaction", env.ID)
		return refusal(err, env.ID)
	}
	c.tx.envelope = env
	c.tx.handler = tx
	c.state = stateMail
	if env.lowered {
		return replyLowered
	}
	return replyMail
}

// parser reads the paths of a transaction.
func (o offer) parser(env *Envelope) address.Parser {
	lenient := o.server.Syntax.Lenient8Bit
	return address.Parser{UTF8: env.SMTPUTF8, Lenient8Bit: lenient != nil && lenient(o.session)}
}

// fewParams is how many parameters a command usually has at most: there is room for them on the stack.
const fewParams = 4

// pathAndParams separates the two parts of a MAIL or RCPT argument. There is no space
// around the colon, and the brackets are required (RFC 5321 §3.3, §4.1.1.2).
func pathAndParams(room []parameter, args, prefix, enhanced string) (path string, params []parameter, refused Reply) {
	if len(args) < len(prefix) || !wire.EqualFold(args[:len(prefix)], prefix) ||
		!strings.HasPrefix(args[len(prefix):], "<") {
		return "", nil, badArgument("expected " + prefix + "<address>")
	}
	path, rest, err := address.ScanPath(args[len(prefix):])
	if err != nil {
		return "", nil, Reply{Code: 501, Enhanced: enhanced, Text: "bad address"}
	}
	params, ok := parseParams(room, rest)
	if !ok {
		return "", nil, badArgument("bad parameters")
	}
	return path, params, Reply{}
}

// mailSize: size-value = 1*20DIGIT. A number too large for us is too large a message
// (RFC 1870 §6.1); the real size is counted when it comes, and never taken from here (§6.4).
func (o offer) mailSize(env *Envelope, p parameter) Reply {
	if !wire.IsDigits(p.value) || len(p.value) > 20 {
		return badArgument("SIZE takes a number of octets")
	}
	size, err := strconv.ParseInt(p.value, 10, 64)
	if err != nil || size > o.server.Limits.MessageSize {
		return refusal(TooLarge(o.server.Limits.MessageSize), "")
	}
	env.Size = size
	return Reply{}
}

// mailBody takes what the client says of the content. Nothing depends on it: all eight bits
// are kept either way (RFC 6152 §3).
func (o offer) mailBody(env *Envelope, p parameter) Reply {
	env.Body = wire.Upper(p.value)
	switch {
	case env.Body == "7BIT", env.Body == "8BITMIME":
		return Reply{}
	case env.Body == binaryMIME && o.offersBinary():
		return Reply{}
	}
	return badArgument("BODY is not one that is offered")
}

// offersBinary: BINARYMIME is offered where every octet is kept to the mailbox.
func (o offer) offersBinary() bool { return o.server.Extensions.BinaryMIME }

// mailSMTPUTF8 has no value (RFC 6531 §3.4).
func (o offer) mailSMTPUTF8(env *Envelope, p parameter) Reply {
	if p.hasValue {
		return badArgument("SMTPUTF8 takes no value")
	}
	env.SMTPUTF8 = true
	return Reply{}
}

// sizeArgument is the argument of the SIZE keyword.
func (o offer) sizeArgument() string {
	return strconv.FormatInt(o.server.Limits.MessageSize, 10)
}

// limitsArgument is the argument of the LIMITS keyword: only what is really enforced, and
// counted as RFC 9422 §3 says.
func (o offer) limitsArgument() string {
	limits := "RCPTMAX=" + strconv.Itoa(o.server.Limits.Recipients)
	if o.server.Limits.Transactions > 0 {
		limits += " MAILMAX=" + strconv.Itoa(o.server.Limits.Transactions)
	}
	return limits
}
