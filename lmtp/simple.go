package lmtp

import (
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// The commands that say little: RSET, NOOP, QUIT, VRFY and HELP.

// rset drops the open transaction (RFC 5321 §4.1.1.5).
func (c *conn) rset(string) Reply {
	c.count.idleCommands++
	c.abort(nil)
	return replyOK
}

// noop does nothing, whatever stands after it (RFC 5321 §4.1.1.9).
func (c *conn) noop(string) Reply {
	c.count.idleCommands++
	return replyOK
}

// quit ends the session; a transaction that is open is dropped (RFC 5321 §4.1.1.10).
func quit(*conn, string) Reply { return replyQuit }

// vrfy never says whether a mailbox exists, and so need not know whether the string was
// understood (RFC 5321 §3.5.3, §7.3). The answer holds no name, and so is the same with and
// without SMTPUTF8 (RFC 6531 §3.7.4.2).
func (c *conn) vrfy(args string) Reply {
	c.count.idleCommands++
	if _, flag, ok := strings.Cut(args, " "); ok && hasValue(flag, "SMTPUTF8") {
		return badArgument("SMTPUTF8 takes no value")
	}
	return replyVrfy
}

// hasValue reports whether the last word of s is keyword with a value.
func hasValue(s, keyword string) bool {
	last := s[strings.LastIndexByte(s, ' ')+1:]
	word, _, ok := strings.Cut(last, "=")
	return ok && wire.EqualFold(word, keyword)
}

// help lists the verbs that this session could use, now or in another state (RFC 5321 §4.1.1.8).
func (c *conn) help(string) Reply {
	c.count.idleCommands++
	return Reply{Code: 214, Enhanced: "2.0.0", Text: strings.Join(c.usable(c.offer()), " ")}
}
