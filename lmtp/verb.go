package lmtp

import (
	"bytes"
	"strings"
)

// A state is where a session stands (RFC 5321 §4.1.4).
type state int

const (
	stateGreeted state = iota // before LHLO or EHLO
	stateReady                // no transaction
	stateMail                 // after MAIL, without an accepted recipient
	stateRcpt                 // with at least one
)

// states is a set of states.
type states uint

func in(list ...state) states {
	var set states
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

func (set states) has(s state) bool { return set&(1<<s) != 0 }

var (
	always        = in(stateGreeted, stateReady, stateMail, stateRcpt)
	inTransaction = in(stateMail, stateRcpt)
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
}

// verbs is the command table. Verbs that are known and not offered are answered 502, so that
// a client can tell them from a typing error (RFC 5321 §4.2.4).
var verbs = [...]verb{
	{"MAIL", in(stateReady), oneArgument, (*conn).mail},
	{"RCPT", inTransaction, oneArgument, (*conn).rcpt},
	{"DATA", inTransaction, noArgument, (*conn).data},
	{"RSET", always, noArgument, (*conn).rset},
	{"NOOP", always, anyArgument, (*conn).noop},
	{"QUIT", always, noArgument, (*conn).quit},
	{"VRFY", always, oneArgument, (*conn).vrfy},
	{"HELP", always, anyArgument, (*conn).help},
	{"LHLO", always, anyArgument, (*conn).lhlo},
	{"EHLO", always, anyArgument, (*conn).ehlo},
	{"HELO", always, anyArgument, (*conn).helo},

	{"STARTTLS", always, anyArgument, notOffered}, // RFC 3207
	{"AUTH", always, anyArgument, notOffered},     // RFC 4954
	{"EXPN", always, anyArgument, notOffered},     // would list members to whoever asks
	{"ETRN", always, anyArgument, notOffered},     // RFC 1985: there is no queue to run
	{"ATRN", always, anyArgument, notOffered},     // RFC 2645: nor to hand over
	{"TURN", always, anyArgument, notOffered},     // RFC 5321 appendix F.1: unsafe
	{"SEND", always, anyArgument, notOffered},     // RFC 5321 appendix F.6: to terminals
	{"SOML", always, anyArgument, notOffered},
	{"SAML", always, anyArgument, notOffered},
	{"BURL", always, anyArgument, notOffered},     // RFC 4468: for submission only
	{"XCLIENT", always, anyArgument, notOffered},  // Postfix's, for trusted proxies
	{"XFORWARD", always, anyArgument, notOffered}, // likewise
}

// longestVerb bounds what is looked up.
const longestVerb = len("STARTTLS")

// dispatch answers one command line.
func (c *conn) dispatch(line []byte) Reply {
	name, args := splitVerb(line)
	v := findVerb(name)
	switch {
	case bytes.EqualFold(name, []byte("BDAT")):
		// Without CHUNKING its octets cannot be told from commands: the framing is lost.
		return Reply{Code: 502, Enhanced: "5.5.1", Text: "CHUNKING is not offered", then: hangUp}
	case v == nil:
		return replyUnknown
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
		if equalFoldASCII(string(name), verbs[i].name) {
			return &verbs[i]
		}
	}
	return nil
}

// equalFoldASCII compares s with t, which is in upper case.
func equalFoldASCII(s, t string) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range len(s) {
		if upper(s[i]) != t[i] {
			return false
		}
	}
	return true
}

// upper maps ASCII letters only.
func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - ('a' - 'A')
	}
	return b
}

// upperASCII is strings.ToUpper for ASCII letters only.
func upperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return rune(upper(byte(r)))
		}
		return r
	}, s)
}

func notOffered(*conn, string) Reply { return replyNotOffered }
