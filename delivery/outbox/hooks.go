package outbox

import (
	"cmp"
	"time"
)

// Hooks are called with what happens to reports; nil ones are not. They return at once.
type Hooks struct {
	// Report is called with what became of reports, on that many recipients: Queued at first, and Sent, Refused, Expired,
	// Damaged or the Reason of a Verdict in the end; or Lost, and then they may have been queued or not; or TooMany.
	Report func(outcome Outcome, recipients int)
	// Submission is called after each attempt to hand one over: Sent, Deferred, Refused or Uncertain.
	Submission func(outcome Outcome, took time.Duration)
}

// An Outcome is what became of a report, or of an attempt.
type Outcome string

// The outcomes.
const (
	Queued    Outcome = "queued"    // it is durable, and will be sent
	Lost      Outcome = "lost"      // it could not be queued, though the message was delivered
	Sent      Outcome = "sent"      // the server has taken it
	Deferred  Outcome = "deferred"  // another try follows
	Uncertain Outcome = "uncertain" // the same, and the server may have taken it
	Refused   Outcome = "refused"   // the server does not take it
	Expired   Outcome = "expired"   // it was tried for too long
	Damaged   Outcome = "damaged"   // it cannot be read, and was set aside
	TooMany   Outcome = "rate"      // Take did not let it pass
)

func (h Hooks) report(outcome Outcome, recipients int) {
	if h.Report != nil && recipients > 0 {
		h.Report(outcome, recipients)
	}
}

func (h Hooks) submission(v Verdict, took time.Duration) {
	if h.Submission == nil {
		return
	}
	switch {
	case v.Err != nil && v.Uncertain:
		h.Submission(Uncertain, took)
	case v.Err != nil && v.Temporary:
		h.Submission(Deferred, took)
	case v.Err != nil:
		h.Submission(Refused, took)
	default:
		h.Submission(Sent, took)
	}
}

// end is what a report ends with that is not tried again.
func (v Verdict) end() Outcome {
	switch {
	case v.Err == nil:
		return Sent
	case v.Temporary:
		return Expired
	}
	return Outcome(cmp.Or(v.Reason, string(Refused)))
}

// A Try is what is known of an entry that waits, beside what is on the disk.
type Try struct {
	Entry string    `json:"entry"`         // the name of its file
	Tries int       `json:"tries"`         // since the process began
	Next  time.Time `json:"next,omitzero"` // it is not tried before; zero: it is tried now
}

// Tries returns what is known of the entries that wait, in no order.
func (b *Box) Tries() []Try {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Try, 0, len(b.waiting))
	for name, a := range b.waiting {
		next := a.next
		if next.Before(b.quiet) {
			next = b.quiet
		}
		list = append(list, Try{name, a.tries, next})
	}
	return list
}
