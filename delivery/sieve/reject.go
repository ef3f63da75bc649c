package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// A Reject refuses the message.
type Reject struct {
	Reason string
	// Protocol says that it has to be refused in the dialogue with the sender's host (ereject); else a message that says
	// so may be sent instead.
	Protocol bool
	Place
}

// Verb implements Action.
func (*Reject) Verb() string { return "reject" }

// excludes: a message that is refused is neither delivered nor answered (RFC 5429 §2.1, §2.2). Others may be notified
// of it, as of any (RFC 5435 §3), and it may be reported.
func (*Reject) excludes(a Action) bool {
	switch a.(type) {
	case *Notify, *Report:
		return false
	}
	return true
}

// merge: a message that a script before this one refused or answered is not answered again, and not kept.
func (*Reject) merge(r *Run) bool {
	for _, other := range r.result.Actions[:r.result.prior] {
		switch other.(type) {
		case *Reject, *Vacation:
			return true
		}
	}
	return false
}

// reject and ereject (RFC 5429).
func reject() *Extension {
	return &Extension{Name: "reject", Standard: "RFC 5429 §2.2", Definitions: []*Definition{rejectCommand("reject")}}
}

func ereject() *Extension {
	return &Extension{Name: "ereject", Standard: "RFC 5429 §2.1", Definitions: []*Definition{rejectCommand("ereject")}}
}

func rejectCommand(name string) *Definition {
	return &Definition{
		Name:   name,
		Params: []Param{{"reason", syntax.String}},
		Command: func(c *Compiler, call *Call) Step {
			reason := c.Text(call.Args[0])
			return func(r *Run) {
				r.result.keep = false
				a := &Reject{Reason: reason.Get(r), Protocol: name == "ereject"}
				r.traceAction(name, a.Reason)
				r.act(a)
			}
		},
	}
}
