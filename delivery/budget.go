package delivery

import (
	"errors"
	"sync/atomic"

	"github.com/doorstep-mail/doorstep/lmtp"
)

const (
	// maxPending is the default of Agent.MaxPending: a thousand sessions with a hundred recipients each.
	maxPending = 128 << 20
	// partCost is about what an accepted recipient and a copy take besides the address: what is kept of the account's
	// decision, and the trace fields.
	partCost = 1 << 10
)

// A budget counts what all transactions keep in memory of their recipients. One client may have a thousand in each of
// its sessions, by commands that cost it nothing.
type budget struct{ held atomic.Int64 }

var errPending = &lmtp.Error{
	Code: 452, Enhanced: "4.3.1", Text: "too many recipients are waiting, try again later", Rule: "pending",
	Cause: errors.New("the recipients of all transactions take too much memory"),
}

var errShort = &lmtp.Error{
	Code: 452, Enhanced: "4.3.1", Text: "memory is short, try again later", Rule: "memory",
	Cause: errors.New("the messages under way take nearly all the memory that this process may have"),
}

// hold takes what a recipient costs from the budget of the agent, or refuses it.
func (t *transaction) hold(r *lmtp.Recipient, parts int) error {
	cost := int64(len(r.Original.Address) + len(r.To.Raw) + len(r.To.Local) + len(r.To.Domain) + (1+parts)*partCost)
	most := t.agent.MaxPending
	if most == 0 {
		most = maxPending
	}
	if t.agent.pending.held.Add(cost) > most {
		t.agent.pending.held.Add(-cost)
		return errPending
	}
	t.held += cost
	return nil
}

// release gives back what the recipients took. It may be called more than once.
func (t *transaction) release() {
	t.agent.pending.held.Add(-t.held)
	t.held = 0
}
