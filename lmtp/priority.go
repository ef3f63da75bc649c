package lmtp

import "strconv"

// mailPriority takes the message's priority (RFC 6710 §4.1). Nothing is reordered here: it is
// logged and written into the trace field (§6). Only a trusted peer may ask for more than
// the usual.
//
//	priority-value = (["-"] NZDIGIT) / "0"
func (o offer) mailPriority(env *Envelope, p parameter) Reply {
	if !isPriority(p.value) {
		return Reply{Code: 501, Enhanced: "5.5.2", Text: "MT-PRIORITY takes a number from -9 to 9"}
	}
	n, err := strconv.Atoi(p.value)
	if err != nil {
		return badArgument("bad priority") // isPriority has seen to it that there is none
	}
	env.HasPriority = true
	if env.Priority = n; n > 0 && !o.session.Trusted {
		env.Priority = 0
		env.lowered = true
	}
	return Reply{}
}

func isPriority(s string) bool {
	if s == "0" {
		return true
	}
	if len(s) == 2 && s[0] == '-' {
		s = s[1:]
	}
	return len(s) == 1 && '1' <= s[0] && s[0] <= '9'
}

// replyLowered accepts a sender with less priority than was asked for. The new one comes
// first in the text (RFC 6710 §4.1).
var replyLowered = Reply{Code: 250, Enhanced: "2.3.6", Text: "0 is the priority of the message"}

func (o offer) offersPriority() bool { return o.server.Extensions.MTPriority }
