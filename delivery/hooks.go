package delivery

import (
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// Hooks observe what an Agent does, for metrics and the status page. One that is nil costs nothing.
// The others are called from many transactions at the same time, and mail waits for them: they must
// return at once.
type Hooks struct {
	// Outcome is called once for each recipient: at RCPT when it is refused there, and else
	// when it is known what became of its copy.
	Outcome func(Outcome)
}

// An Outcome is what became of a recipient.
type Outcome struct {
	Session     *lmtp.Session
	Transaction string
	From, To    address.Address
	// Mailbox is the address of the account in its shown form, "" where RCPT was refused.
	Mailbox string
	// Size is in octets, as sent; 0 where RCPT was refused.
	Size int64
	// Err is nil for a delivered message, else the *lmtp.Error with which the client is answered.
	Err error
	// Took is the time since the end of the content, 0 where none came.
	Took time.Duration
}

// observe hands an outcome to the hook.
func (t *transaction) observe(o Outcome) {
	hook := t.agent.Hooks.Outcome
	if hook == nil {
		return
	}
	o.Session, o.Transaction, o.From = t.session, t.envelope.ID, t.envelope.From
	if !t.committed.IsZero() {
		o.Took = t.agent.now().Sub(t.committed)
	}
	hook(o)
}
