package lmtp

import (
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// A Notify is of what the sender of a message wants reports for one recipient (RFC 3461 §4.1). The zero value is what
// the sender did not say.
type Notify uint8

const (
	// NotifyNever wants none at all. It stands alone.
	NotifyNever Notify = 1 << iota
	// NotifySuccess wants one when the message is in the mailbox. The Handler of the last hop owes it.
	NotifySuccess
	// NotifyFailure wants one when it will never be. The client owes it, who reads the reply.
	NotifyFailure
	// NotifyDelay wants one when that takes long. It is for those who have a queue.
	NotifyDelay
)

// notifyWords are the words of NOTIFY, in the order of their bits.
var notifyWords = [...]string{"NEVER", "SUCCESS", "FAILURE", "DELAY"}

// String returns the value of the parameter NOTIFY, "" for the zero value.
func (n Notify) String() string {
	var words []string
	for bit, word := range notifyWords {
		if n&(1<<bit) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, ",")
}

// offersDSN is what the session's last hello said: a client that was offered DSN may use it, even if it is offered to
// new ones no more (RFC 3461 §4).
func (o offer) offersDSN() bool { return o.session.DSN }

// offersDSN is what the next hello will say.
func (s *Server) offersDSN() bool { return s.Extensions.DSN != nil && s.Extensions.DSN() }

// mailReturn: "RET=" ( "FULL" / "HDRS" ) (RFC 3461 §4.3).
func (o offer) mailReturn(env *Envelope, p parameter) Reply {
	env.Return = wire.Upper(p.value)
	if env.Return != "FULL" && env.Return != "HDRS" {
		return badArgument("RET takes FULL or HDRS")
	}
	return Reply{}
}

// mailEnvelopeID: "ENVID=" xtext, of printable ASCII (RFC 3461 §4.4). It may be as long as the line allows: clients
// pass on more than the 100 octets that every server takes.
func (o offer) mailEnvelopeID(env *Envelope, p parameter) Reply {
	id, err := address.DecodeXtext(p.value)
	if err != nil || id == "" || !wire.Plain(id) {
		return badArgument("ENVID takes printable ASCII in xtext")
	}
	env.EnvelopeID = id
	return Reply{}
}

// rcptNotify: "NOTIFY=" ( "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) ) (RFC 3461 §4.1).
func (o offer) rcptNotify(r *Recipient, p parameter) Reply {
	for word := range strings.SplitSeq(p.value, ",") {
		bit := indexFold(notifyWords[:], word)
		if bit < 0 {
			return badArgument("NOTIFY takes NEVER, or SUCCESS, FAILURE and DELAY")
		}
		r.Notify |= 1 << bit
	}
	if r.Notify&NotifyNever != 0 && strings.Contains(p.value, ",") {
		return badArgument("NOTIFY=NEVER stands alone")
	}
	return Reply{}
}

func indexFold(words []string, word string) int {
	for i := range words {
		if wire.EqualFold(word, words[i]) {
			return i
		}
	}
	return -1
}

// rcptOriginal: "ORCPT=" original-recipient-address (RFC 3461 §4.2). One that is not understood is as good as none: a
// refusal by the last hop would send back what was accepted elsewhere, perhaps to a sender who is forged.
func (o offer) rcptOriginal(r *Recipient, p parameter) Reply {
	r.Original, _ = address.ParseORCPT(p.value)
	return Reply{}
}
