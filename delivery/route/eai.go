package route

import (
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// refuseInternationalized is the reply to RCPT for an account that takes no internationalized
// mail, where the transaction carries such; nil for every other account, and for the postmaster,
// who takes everything (RFC 5321 §4.5.1). It comes this early so that the MTA can tell the sender
// before there is a message (RFC 6531 §3.5). That the address itself may be plain ASCII is why it
// is 5.6.9 and not 5.6.7.
func refuseInternationalized(a *directory.Account, to address.Address) error {
	if !a.ASCIIOnly || isPostmaster(to.Local) {
		return nil
	}
	return &lmtp.Error{Code: 550, Enhanced: "5.6.9", Text: "mailbox takes no internationalized mail", Rule: "eai"}
}

// internationalized reports whether a transaction asked for SMTPUTF8, or has addresses that
// should have (lmtp.Syntax.Lenient8Bit): they would end up in trace fields.
func internationalized(env *lmtp.Envelope, to address.Address) bool {
	return env.SMTPUTF8 || !env.From.IsASCII() || !to.IsASCII()
}
