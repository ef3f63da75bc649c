package lmtp

import (
	"bytes"
	"strconv"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// arguments says what may follow a verb.
type arguments int

const (
	anyArgument arguments = iota // the handler decides, or does not care
	noArgument                   // RFC 5321 §4.3.2: 501 where there is one
	oneArgument                  // 501 where there is none
)

// A verb is a row of the command table.
type verb struct {
	name   string
	states states    // where it is in sequence; elsewhere 503
	args   arguments // checked before the handler runs
	run    func(c *conn, args string) Reply
	before needs // what the listener may require of a session, and this does not wait for

	offered func(offer) bool // nil: always; elsewhere 502
	listed  func(offer) bool // whether HELP names what is offered; nil: always
	shown   bool             // whether hooks see the argument
}

// verbs is the command table. Verbs that are known and not offered are answered 502, so that
// a client can tell them from a typing error (RFC 5321 §4.2.4).
var verbs = [...]verb{
	{name: "MAIL", states: in(stateReady), args: oneArgument, run: (*conn).mail, shown: true},
	{name: "RCPT", states: inTransaction, args: oneArgument, run: (*conn).rcpt, shown: true},
	{name: "DATA", states: in(stateMail, stateRcpt, stateChunk, stateFailed), args: noArgument, run: (*conn).data},
	// its octets must be read in every state
	{name: "BDAT", states: always, args: anyArgument, run: (*conn).bdat, before: needNothing, shown: true},
	{name: "RSET", states: always, args: noArgument, run: (*conn).rset, before: needAuth},
	{name: "NOOP", states: always, args: anyArgument, run: (*conn).noop, before: needTLS | needAuth},
	{name: "QUIT", states: always, args: noArgument, run: quit, before: needNothing},
	{name: "VRFY", states: always, args: oneArgument, run: (*conn).vrfy},
	{name: "HELP", states: always, args: anyArgument, run: (*conn).help},
	{name: "LHLO", states: always, args: anyArgument, run: hello(LMTP, true), listed: offer.speaksLMTP,
		before: needTLS | needAuth, shown: true},
	{name: "EHLO", states: always, args: anyArgument, run: hello(ESMTP, true), listed: offer.speaksESMTP,
		before: needTLS | needAuth, shown: true},
	{name: "HELO", states: always, args: anyArgument, run: hello(ESMTP, false), listed: offer.speaksESMTP,
		before: needAuth, shown: true},

	{name: "XCLIENT", states: in(stateGreeted, stateReady), args: oneArgument, run: (*conn).xclient,
		offered: offer.speaksForOthers, listed: offer.trusted, shown: true},
	{name: "XFORWARD", states: in(stateReady), args: oneArgument, run: (*conn).xforward, offered: offer.speaksForOthers,
		listed: offer.trusted, shown: true},

	// RFC 3207
	{name: "STARTTLS", states: in(stateReady), args: noArgument, run: (*conn).starttls, before: needTLS | needAuth,
		offered: offer.knowsSTARTTLS, listed: offer.offersSTARTTLS},
	// RFC 4954
	{name: "AUTH", states: in(stateReady), args: oneArgument, run: (*conn).auth, before: needAuth,
		offered: offer.knowsAuth, listed: offer.offersAuth},

	// would list members to any client
	{name: "EXPN", states: always, args: anyArgument, run: notOffered, listed: never},
	// RFC 1985: there is no queue to run
	{name: "ETRN", states: always, args: anyArgument, run: notOffered, listed: never},
	{name: "ATRN", states: always, args: anyArgument, run: notOffered, listed: never}, // RFC 2645: nor to hand over
	{name: "TURN", states: always, args: anyArgument, run: notOffered, listed: never}, // RFC 5321 appendix F.1: unsafe
	// RFC 5321 appendix F.6: to terminals
	{name: "SEND", states: always, args: anyArgument, run: notOffered, listed: never},
	{name: "SOML", states: always, args: anyArgument, run: notOffered, listed: never},
	{name: "SAML", states: always, args: anyArgument, run: notOffered, listed: never},
	{name: "BURL", states: always, args: anyArgument, run: notOffered, listed: never}, // RFC 4468: for submission only
}

// longestVerb bounds what is looked up.
const longestVerb = len("STARTTLS")

// dispatch answers one command line.
func (c *conn) dispatch(line []byte) Reply {
	name, args := splitVerb(line)
	v := findVerb(name)
	c.verb = verbUnknown
	if v != nil {
		c.verb = v.name
	}
	if hook := c.server.Hooks.Command; hook != nil {
		hook(c.session, c.verb, c.offer().shownArgument(v, line, args))
	}
	switch {
	case v == nil && wire.IsHTTP(line):
		return replyHTTP
	case v == nil:
		return replyUnknown
	case v.offered != nil && !v.offered(c.offer()):
		return replyNotOffered
	}
	if tooEarly := c.offer().lacks(v.before); tooEarly.Code != 0 {
		return tooEarly
	}
	switch {
	case !v.states.has(c.state):
		return replySequence
	case v.args == noArgument && args != "":
		return replyNoArgs
	case v.args == oneArgument && args == "":
		return replyNeedsArg
	}
	return v.run(c, args)
}

// splitVerb separates the verb from its argument. White space before the line's end is
// accepted on every command; some clients send it (RFC 5321 §4.1.1).
func splitVerb(line []byte) (name []byte, args string) {
	line = bytes.TrimRight(line, " \t")
	name, rest, _ := bytes.Cut(line, []byte(" "))
	return name, string(rest)
}

// findVerb looks a verb up without regard to ASCII case. Unicode case folding would take
// U+017F and U+212A for letters of a verb.
func findVerb(name []byte) *verb {
	if len(name) > longestVerb {
		return nil
	}
	for i := range verbs {
		if wire.EqualFold(string(name), verbs[i].name) {
			return &verbs[i]
		}
	}
	return nil
}

// usableVerbs are those that a session could use, now or in another state.
func usableVerbs(o offer) (names []string) {
	for _, v := range verbs {
		if (v.offered == nil || v.offered(o)) && (v.listed == nil || v.listed(o)) {
			names = append(names, v.name)
		}
	}
	return names
}

func notOffered(*conn, string) Reply { return replyNotOffered }

func never(offer) bool { return false }

func (o offer) speaksLMTP() bool { return o.session.Protocol == LMTP }

func (o offer) speaksESMTP() bool { return o.session.Protocol == ESMTP }

// shownArgument is the argument of a command as hooks may see it; v is nil for a line that is no command.
func (o offer) shownArgument(v *verb, line []byte, args string) string {
	switch {
	case v == nil:
		// It may be the password of a client that did not notice that AUTH was refused, or a line of
		// a message that follows a refused DATA.
		return "(" + strconv.Itoa(len(line)) + " octets)"
	case v.name == "AUTH":
		return o.showAuth(args)
	case !v.shown:
		return ""
	}
	return args
}
