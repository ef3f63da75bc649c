package status

import (
	"errors"
	"fmt"
	"time"

	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

const (
	// failuresKept is how many of each kind are kept: deferred and refused, so that a flood of mail
	// for unknown recipients does not hide a failing disk.
	failuresKept = 25
	// maxShown bounds one text, in octets before they are escaped.
	maxShown = 300
)

// A Failure is a recipient who did not get a message.
type Failure struct {
	At          time.Time     `json:"at"`
	Transaction string        `json:"transaction"`
	Peer        string        `json:"peer"`
	From        string        `json:"from"`
	To          string        `json:"to"`
	Reply       string        `json:"reply"` // "451 4.3.0"
	Rule        string        `json:"rule"`
	Reason      string        `json:"reason"`
	Took        time.Duration `json:"took_ns"`
}

func failureOf(o delivery.Outcome, now time.Time) Failure {
	f := Failure{
		At: now, Transaction: o.Transaction, Peer: o.Session.PeerName(), From: address.Cut(o.From.Log(), maxShown),
		To:    address.Cut(o.To.Log(), maxShown),
		Reply: "451 4.3.0", Rule: lmtp.RuleOf(o.Err), Reason: shown(o.Err.Error()), Took: o.Took,
	}
	if e := (*lmtp.Error)(nil); errors.As(o.Err, &e) {
		f.Reply = fmt.Sprintf("%d %s", e.Code, e.Enhanced)
		f.Reason = shown(e.Text)
		if e.Cause != nil {
			f.Reason = shown(e.Text + ": " + e.Cause.Error())
		}
	}
	return f
}

// shown makes a text short, and safe to be shown anywhere: it may quote octets of a client.
func shown(s string) string { return address.Readable(address.Cut(s, maxShown)) }

// failures keeps the last of them.
type failures struct {
	kept [failuresKept]Failure
	n    int // that there have been
}

func (f *failures) add(x Failure) {
	f.kept[f.n%failuresKept] = x
	f.n++
}

// all returns those that are kept, in no order.
func (f *failures) all() []Failure { return f.kept[:min(f.n, failuresKept)] }
