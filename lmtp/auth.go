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

// mechanisms are those that AUTH takes in the session as it is now.
func (o offer) mechanisms() []string {
	if o.server.Auth.Authenticator == nil {
		return nil
	}
	return o.server.Auth.Authenticator.Mechanisms(o.session)
}

// offersAuth reports whether the hello reply lists AUTH: not while the listener still requires TLS, because Postfix
// complains of mechanisms offered before STARTTLS if it knows none of them.
func (o offer) offersAuth() bool { return o.lacks(needAuth).Code == 0 && len(o.mechanisms()) > 0 }

// knowsAuth reports whether this listener has AUTH at all; while TLS is still missing, dispatch answers 530, not 502.
func (o offer) knowsAuth() bool {
	return o.server.Auth.Authenticator != nil && o.lacks(needAuth).Code != 0 || o.offersAuth()
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
	return authentication{c, name}.run(response)
}

// An authentication is one exchange of a session by an offered mechanism.
type authentication struct {
	c         *conn
	mechanism string
}

// run leads the exchange to its end.
func (a authentication) run(response []byte) Reply {
	x := a.c.server.Auth.Authenticator.Begin(a.c.work, a.c.session, a.mechanism)
	for range maxAuthSteps {
		var challenge []byte
		var done bool
		err := guard.Call(func() (err error) {
			challenge, done, err = x.Next(response)
			return err
		})
		switch {
		case err != nil:
			return a.refuse(err)
		case done:
			return a.succeed(x.Identity())
		case !a.c.out.WriteChallenge(challenge):
			return replyAuthLong
		}
		a.c.reportReply(Reply{Code: 334, Text: "(challenge not shown)"})
		var refused Reply
		if response, refused = a.readResponse(); response == nil {
			return refused
		}
	}
	return a.refuse(errors.New("exchange does not end"))
}

// readResponse reads the response to a challenge. A nil response ends the exchange with the reply.
func (a authentication) readResponse() ([]byte, Reply) {
	line, err := a.c.nc.await(a.c.in.ReadAuthLine)
	if err == nil {
		a.showResponse()
	}
	switch {
	case errors.Is(err, wire.ErrLineTooLong):
		return nil, replyAuthLong
	case errors.Is(err, wire.ErrLineEnd):
		return nil, replyAuthEncoding
	case err != nil:
		return nil, a.c.unreadable(err)
	case string(line) == "*":
		return nil, replyAuthCancelled
	}
	response, ok := decodeBase64(string(line))
	if !ok {
		return nil, replyAuthEncoding
	}
	return response, Reply{}
}

// decodeBase64 decodes base64 with nothing around it: what two programs decode differently, one of
// them may have checked (RFC 4648 §3.3, §12). The result is never nil if ok.
func decodeBase64(s string) (decoded []byte, ok bool) {
	decoded, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, false
	}
	return append([]byte{}, decoded...), true
}

// succeed begins a session with an identity. It is a new Session: one that a Handler keeps does not change.
func (a authentication) succeed(identity string) Reply {
	if identity == "" {
		return a.refuse(errors.New("exchange ended without an identity"))
	}
	session := *a.c.session
	session.Identity = identity
	a.c.session = &session
	a.c.log.Info("authenticated", "mechanism", a.mechanism, "identity", address.Escape(identity))
	return replyAuthenticated
}

// refuse answers a failed exchange. Wrong credentials are counted, and cost the client time:
// guessing must be slow.
func (a authentication) refuse(err error) Reply {
	known := knownError(err)
	if known == nil {
		a.c.log.Error("authentication broken", "mechanism", a.mechanism, "error", err)
		return replyAuthBroken
	}
	a.c.log.Warn("authentication refused", "mechanism", a.mechanism, "rule", RuleOf(err), "error", err)
	if known.Code == 535 {
		a.c.count.authFailures++
		select {
		case <-time.After(a.c.server.Auth.Delay):
		case <-a.c.work.Done():
		}
	}
	return refusal(known, "")
}

// mailAuth takes the identity that submitted the message first, as the client claims (RFC 4954 §5). No client is
// trusted to claim one, which makes it <>, and no next hop needs it: it is checked and dropped.
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

// showAuth returns the argument of AUTH as hooks may see it: the mechanism, if it is one, without the initial response.
func (o offer) showAuth(args string) string {
	name, _, initial := strings.Cut(args, " ")
	switch {
	case !slices.Contains(o.mechanisms(), wire.Upper(name)):
		return "(not shown)"
	case initial:
		return wire.Upper(name) + " (not shown)"
	}
	return wire.Upper(name)
}

// showResponse calls the hook for a response, without its text.
func (a authentication) showResponse() {
	if hook := a.c.server.Hooks.Command; hook != nil {
		hook(a.c.session, a.c.verb, "(response not shown)")
	}
}
