package lmtp

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// Hooks are told what sessions do, for those who count or watch. One that is nil costs nothing.
// The others are called from many sessions at once, and the session waits for them: they must
// return at once, and keep nothing that they are given but strings.
type Hooks struct {
	// Begin is called when a session begins, for connections that were admitted, and End when
	// it has ended.
	Begin, End func(s *Session)
	// Command is called with each command before it is answered, fit to be shown: an argument
	// that may hold a secret, or be part of a message that was taken for commands, is left out.
	Command func(s *Session, verb, args string)
	// Reply is called with each reply; verb is what it answers. Content that has come is answered
	// by replies to DATA or BDAT, one for each recipient over LMTP.
	Reply func(s *Session, verb string, r Reply)
	// Content is called when a whole message has come, of so many octets.
	Content func(s *Session, octets int64)
}

// What Command and Reply call what is no verb of the protocol.
const (
	// VerbConnect stands for the connection itself: its reply is the greeting, or why there is none.
	VerbConnect = "CONNECT"
	// VerbUnknown stands for a line that is no command, and for the end of a session that was
	// waited for in vain.
	VerbUnknown = "UNKNOWN"
)

// replies tells of a reply, unless the client is gone.
func (c *conn) replies(r Reply) {
	if hook := c.server.Hooks.Reply; hook != nil && c.out.Err() == nil {
		hook(c.session, c.verb, r)
	}
}

// begins tells of a command that has come; v is nil for what is none.
func (c *conn) begins(v *verb, line []byte, args string) {
	c.verb = VerbUnknown
	if v != nil {
		c.verb = v.name
	}
	hook := c.server.Hooks.Command
	if hook == nil {
		return
	}
	switch {
	case v == nil:
		// It may be the password of a client that did not notice that AUTH was refused, or a line of
		// a message behind a refused DATA.
		args = "(" + strconv.Itoa(len(line)) + " octets)"
	case v.name == "AUTH":
		args = c.showAuth(args)
	case !v.shown:
		args = ""
	}
	hook(c.session, c.verb, args)
}

// showAuth leaves nothing of the argument of AUTH but the mechanism, if it is one.
func (c *conn) showAuth(args string) string {
	name, _, initial := strings.Cut(args, " ")
	switch {
	case !slices.Contains(c.mechanisms(), wire.Upper(name)):
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

// received tells of a message that has come.
func (c *conn) received() {
	if hook := c.server.Hooks.Content; hook != nil {
		hook(c.session, c.tx.content.size)
	}
}
