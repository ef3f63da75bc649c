package lmtp

import (
	"errors"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// A Reply answers one command.
type Reply struct {
	Code     int    // RFC 5321 §4.2.1
	Enhanced string // RFC 3463; "" on greetings, hello replies and 3xx (RFC 2034 §4)
	Text     string // a line, or several separated by "\n"

	// then, if set, runs after the reply was written: what the command leads to. An error
	// ends the session.
	then func(*conn) error
}

// String returns a reply of one line as it is sent.
func (r Reply) String() string {
	return strconv.Itoa(r.Code) + " " + strings.TrimPrefix(r.Enhanced+" "+r.Text, " ")
}

// failed reports whether the reply says that the client used the protocol wrongly, as
// against a refusal of good commands such as 550 for an unknown mailbox.
func (r Reply) failed() bool {
	return r.Code >= 500 && r.Code <= 504 || r.Code == 555
}

// The replies that need no words of their own. Codes and enhanced codes are those of
// RFC 5321 §4.2 and the table of RFC 5248 §3.
var (
	replyMail      = Reply{Code: 250, Enhanced: "2.1.0", Text: "sender ok"}
	replyRcpt      = Reply{Code: 250, Enhanced: "2.1.5", Text: "recipient ok"}
	replyOK        = Reply{Code: 250, Enhanced: "2.0.0", Text: "ok"}
	replyVrfy      = Reply{Code: 252, Enhanced: "2.0.0", Text: "send mail to it to find out"}
	replyQuit      = Reply{Code: 221, Enhanced: "2.0.0", Text: "bye", then: hangUp}
	replyShutdown  = Reply{Code: 421, Enhanced: "4.3.2", Text: "shutting down, try again soon", then: hangUp}
	replyBusy      = Reply{Code: 421, Enhanced: "4.3.2", Text: "too many connections, try again later", then: hangUp}
	replyIdle      = Reply{Code: 421, Enhanced: "4.4.2", Text: "timeout waiting for the client", then: hangUp}
	replyTooMany   = Reply{Code: 421, Enhanced: "4.7.0", Text: "too many errors", then: hangUp}
	replyMailLimit = Reply{Code: 421, Enhanced: "4.7.0", Text: "too many messages in one session", then: hangUp}
	replyTooMuch   = Reply{Code: 421, Enhanced: "4.3.1", Text: "far too much content", then: hangUp}
	replyBroken    = Reply{Code: 421, Enhanced: "4.3.0", Text: "internal error, try again later", then: hangUp}

	replyUnknown    = Reply{Code: 500, Enhanced: "5.5.1", Text: "unknown command"}
	replyNotOffered = Reply{Code: 502, Enhanced: "5.5.1", Text: "command not offered"}
	replySequence   = Reply{Code: 503, Enhanced: "5.5.1", Text: "command out of sequence"}
	replyNoRcpt     = Reply{Code: 503, Enhanced: "5.5.1", Text: "no valid recipients"}
	replyNoRcptSMTP = Reply{Code: 554, Enhanced: "5.5.1", Text: "no valid recipients"}
	replyLineLong   = Reply{Code: 500, Enhanced: "5.5.2", Text: "command line too long"}
	replyLineEnd    = Reply{Code: 500, Enhanced: "5.5.2", Text: "bare CR or LF in a command line"}
	replyNoArgs     = Reply{Code: 501, Enhanced: "5.5.4", Text: "this command takes no argument"}
	replyNeedsArg   = Reply{Code: 501, Enhanced: "5.5.4", Text: "this command needs an argument"}
	replyRcptLimit  = Reply{Code: 452, Enhanced: "4.5.3", Text: "too many recipients"}

	// RFC 6531 §3.5 tells the two commands apart.
	replyMailNeedsUTF8  = Reply{Code: 550, Enhanced: "5.6.7", Text: "an internationalized address needs SMTPUTF8"}
	replyRcptNeedsUTF8  = Reply{Code: 553, Enhanced: "5.6.7", Text: "an internationalized address needs SMTPUTF8"}
	replyBadReversePath = Reply{Code: 501, Enhanced: "5.1.7", Text: "bad reverse-path"}
	replyBadForwardPath = Reply{Code: 501, Enhanced: "5.1.3", Text: "bad forward-path"}
)

// The replies to clients of other protocols: one, and the end of the session.
var (
	replyClientHello = Reply{Code: 500, Enhanced: "5.5.2", Text: "this port does not begin with TLS", then: hangUp}
	replyHTTP        = Reply{Code: 500, Enhanced: "5.5.1", Text: "this is no web server", then: hangUp}
)

// badArgument is the answer to an argument outside its grammar.
func badArgument(text string) Reply {
	return Reply{Code: 501, Enhanced: "5.5.4", Text: text}
}

// errInternal is what a client reads of an error that says nothing about itself: the
// default is temporary, so that no defect of ours bounces mail.
var errInternal = Error{Code: 451, Enhanced: "4.3.0", Text: "local error, try again later"}

// refusal turns a Handler's error into its reply. id lets the client's log be joined to ours.
func refusal(err error, id string) Reply {
	e := knownError(err)
	if e == nil {
		e = &errInternal
	}
	text := e.Text
	if id != "" && !strings.Contains(text, id) {
		text += " [" + id + "]"
	}
	return Reply{Code: e.Code, Enhanced: wire.SameClass(e.Enhanced, strconv.Itoa(e.Code)), Text: text}
}

// RcptReply is the reply to RCPT for the error of Transaction.Rcpt, nil included, for those who ask a Handler without a
// session.
func RcptReply(err error) Reply {
	if err != nil {
		return refusal(err, "")
	}
	return replyRcpt
}

// hangUp ends the session after a reply.
func hangUp(*conn) error { return errHangUp }

var errHangUp = errors.New("session ended by the server")
