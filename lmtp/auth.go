package lmtp

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

const (
	// maxAuthSteps bounds the challenges of one exchange, whatever a mechanism wants.
	maxAuthSteps = 10
	// maxAuthFailures is how many wrong credentials a session may show; RFC 4954 §4 asks for
	// three at least.
	maxAuthFailures = 3
)

var (
	replyAuthenticated = Reply{Code: 235, Enhanced: "2.7.0", Text: "welcome"}
	replyAuthBroken    = Reply{Code: 454, Enhanced: "4.7.0", Text: "authentication is not possible now, try again later"}
	replyAuthTooOften  = Reply{Code: 421, Enhanced: "4.7.0", Text: "too many failed authentications", then: hangUp}
	replyMechanism     = Reply{Code: 504, Enhanced: "5.5.4", Text: "mechanism not offered"}
	replyAuthLong      = Reply{Code: 500, Enhanced: "5.5.6", Text: "authentication line too long"}
	replyAuthEncoding  = Reply{Code: 501, Enhanced: "5.5.2", Text: "not base64"}
	replyAuthCancelled = Reply{Code: 501, Enhanced: "5.7.0", Text: "authentication canceled"}
)

// mechanisms are what is offered now.
func (o offer) mechanisms() []string {
	if o.server.Auth == nil {
		return nil
	}
	return o.server.Auth.Mechanisms(o.session)
}

// offersAuth: not before what must come first. Postfix complains of mechanisms offered before
// STARTTLS if it knows none of them.
func (o offer) offersAuth() bool { return o.lacks(needAuth).Code == 0 && len(o.mechanisms()) > 0 }

// knowsAuth: what must come first is then the answer.
func (o offer) knowsAuth() bool {
	return o.server.Auth != nil && o.lacks(needAuth).Code != 0 || o.offersAuth()
}

// authArgument is the argument of the AUTH keyword.
func (o offer) authArgument() string { return strings.Join(o.mechanisms(), " ") }

// auth authenticates the client (RFC 4954 §4).
//
//	"AUTH" SP sasl-mech [SP (base64 / "=")]
func (c *conn) auth(args string) Reply {
	name, initial, hasInitial := strings.Cut(args, " ")
	name = wire.Upper(name)
	switch {
	case c.session.Identity != "", !c.session.Extended:
		return replySequence
	case c.count.authFailures >= maxAuthFailures:
		c.log.Warn("session refused", "limit", "authentications", "value", maxAuthFailures)
		return replyAuthTooOften
	case !slices.Contains(c.offer().mechanisms(), name):
		return replyMechanism
	}
	var response []byte
	if hasInitial && initial == "=" {
		response = []byte{}
	} else if hasInitial {
		var ok bool
		if response, ok = decodeBase64(initial); !ok {
			return replyAuthEncoding
		}
	}
	return c.exchange(name, response)
}

// exchange runs an exchange to its end.
func (c *conn) exchange(mechanism string, response []byte) Reply {
	x := c.server.Auth.Begin(c.context(), c.session, mechanism)
	for range maxAuthSteps {
		var challenge []byte
		var done bool
		err := guard.Call(func() (err error) {
			challenge, done, err = x.Next(response)
			return err
		})
		switch {
		case err != nil:
			return c.refuseAuth(mechanism, err)
		case done:
			return c.authenticated(mechanism, x.Identity())
		case !c.out.WriteChallenge(challenge):
			return replyAuthLong
		}
		c.replies(Reply{Code: 334, Text: "(challenge not shown)"})
		var refused Reply
		if response, refused = c.readResponse(); response == nil {
			return refused
		}
	}
	return c.refuseAuth(mechanism, errors.New("exchange does not end"))
}

// readResponse reads the answer to a challenge. Where it gives nil there is no more exchange,
// but a reply.
func (c *conn) readResponse() ([]byte, Reply) {
	line, err := c.await(c.in.ReadAuthLine)
	if err == nil {
		c.responds()
	}
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return nil, replyAuthLong
	case errors.Is(err, wire.ErrLineEnd):
		return nil, replyAuthEncoding
	case err != nil:
		return nil, c.unreadable(err)
	case string(line) == "*":
		return nil, replyAuthCancelled
	}
	response, ok := decodeBase64(string(line))
	if !ok {
		return nil, replyAuthEncoding
	}
	return response, Reply{}
}

// decodeBase64 takes base64 and nothing around it: what two programs decode differently, one of
// them may have checked (RFC 4648 §3.3, §12). It never gives nil for what is right.
func decodeBase64(s string) ([]byte, bool) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, false
	}
	return append([]byte{}, decoded...), true
}

// authenticated begins a session that knows who the client is. It is a new one, as a Session does
// not change under a Handler that keeps it.
func (c *conn) authenticated(mechanism, identity string) Reply {
	if identity == "" {
		return c.refuseAuth(mechanism, errors.New("exchange ended without an identity"))
	}
	session := *c.session
	session.Identity = identity
	c.session = &session
	c.log.Info("authenticated", "mechanism", mechanism, "identity", address.Escape(identity))
	return replyAuthenticated
}

// refuseAuth answers a failed exchange. Wrong credentials are counted, and cost the client time:
// guessing must be slow.
func (c *conn) refuseAuth(mechanism string, err error) Reply {
	known := knownError(err)
	if known == nil {
		c.log.Error("authentication broken", "mechanism", mechanism, "error", err)
		return replyAuthBroken
	}
	c.log.Warn("authentication refused", "mechanism", mechanism, "rule", RuleOf(err), "error", err)
	if known.Code == 535 {
		c.count.authFailures++
		select {
		case <-time.After(c.server.AuthDelay):
		case <-c.context().Done():
		}
	}
	return refusal(known, "")
}

// mailAuth takes who submitted the message first, as the client has it (RFC 4954 §5). We trust
// nobody's word for that, which makes it <>, and hand the message on to nobody who could ask: so
// it is checked and forgotten.
func (o offer) mailAuth(_ *Envelope, p parameter) Reply {
	mailbox, err := address.DecodeXtext(p.value)
	if err == nil && p.hasValue && mailbox != "<>" {
		_, err = address.Parse(mailbox)
	}
	if err != nil || !p.hasValue {
		return badArgument("AUTH takes a mailbox in xtext, or <>")
	}
	return Reply{}
}

// showAuth leaves nothing of the argument of AUTH but the mechanism, if it is one.
func (c *conn) showAuth(args string) string {
	name, _, initial := strings.Cut(args, " ")
	switch {
	case !slices.Contains(c.offer().mechanisms(), wire.Upper(name)):
		return "(not shown)"
	case initial:
		return wire.Upper(name) + " (not shown)"
	}
	return wire.Upper(name)
}

// responds tells of a line of an authentication, which is never shown.
func (c *conn) responds() {
	if hook := c.server.Hooks.Command; hook != nil {
		hook(c.session, c.verb, "(response not shown)")
	}
}
