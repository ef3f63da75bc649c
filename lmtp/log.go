package lmtp

import (
	"fmt"
	"log/slog"
	"strconv"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// maxLogged bounds what one log line quotes of a client, in octets before they are escaped.
const maxLogged = 400

// logOf names a session and its peer in each line.
func (s *Server) logOf(session *Session) *slog.Logger {
	return s.Log.With("session", session.ID, "peer", session.PeerName())
}

// refuseArgument logs an argument of MAIL or RCPT that the server refuses without asking its
// Handler, and returns the reply. The octets are escaped: they may be anything, such as controls, or letters of an
// encoding that is not UTF-8. why, if not nil, must not quote them.
func (c *conn) refuseArgument(command, argument string, r Reply, why error) Reply {
	reason := r.Text
	if why != nil {
		reason = why.Error()
	}
	c.log.Info("refused", "command", command, "argument", address.Escape(address.Cut(argument, maxLogged)),
		"rule", syntaxRule(r), "code", strconv.Itoa(r.Code)+" "+r.Enhanced, "reason", reason)
	return r
}

// syntaxRule is the rule by which the server refuses an argument by itself.
func syntaxRule(r Reply) string {
	switch r.Enhanced {
	case "5.6.7":
		return "smtputf8"
	case "5.3.4":
		return "message_size"
	}
	return "syntax"
}

// logRefusal logs an error of the Handler. An *Error is an ordinary refusal, any other a defect or trouble of this
// machine.
func (c *conn) logRefusal(err error, args ...any) {
	guard.Report(c.log.With(args...), "handler", err)
	if known := knownError(err); known != nil {
		c.log.Debug("refused", append(args, "reply", strconv.Itoa(known.Code)+" "+known.Enhanced, "rule", RuleOf(err),
			"error", err)...)
		return
	}
	c.log.Error("refused for an unexpected error", append(args, "error", fmt.Sprint(err))...) // Sprint bears a nil *Error
}
