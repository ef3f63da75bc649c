package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Vacation answers the sender, once in a while.
type Vacation struct {
	// Reason is the text of the answer; with MIME it is a MIME entity with its header.
	Reason string
	MIME   bool
	// Subject, From and Addresses are those of the command; empty where there are none.
	Subject, From string
	Addresses     []string
	// Seconds is how long the same sender gets no other answer. [7 days]
	Seconds uint64
	// Handle tells answers apart: senders get one for each.
	Handle string
	// Copy is where a copy of the answer goes (RFC 8580); nil for nowhere.
	Copy *Store
	Place
}

// Verb implements Action.
func (*Vacation) Verb() string { return "vacation" }

// merge: there is one answer at most (RFC 5230 §4.7).
func (v *Vacation) merge(r *Run) bool {
	for _, other := range r.result.Actions {
		if _, ok := other.(*Vacation); ok {
			r.Fail("the script answers with vacation twice")
			return true
		}
	}
	return false
}

const week = 7 * 24 * 60 * 60

// vacation (RFC 5230), and its tag :seconds (RFC 6131).
func vacation() *Extension {
	return &Extension{
		Name: "vacation", Standard: "RFC 5230",
		Definitions: []*Definition{{
			Name: "vacation",
			Tags: []Tag{
				{Name: "days", Group: "period", Kind: syntax.Number}, {Name: "subject", Kind: syntax.String},
				{Name: "from", Kind: syntax.String}, {Name: "addresses", Kind: syntax.List}, {Name: "mime"},
				{Name: "handle", Kind: syntax.String},
			},
			Params:  []Param{{"reason", syntax.String}},
			Command: vacationCommand,
		}},
	}
}

func vacationSeconds() *Extension {
	return &Extension{
		Name: "vacation-seconds", Standard: "RFC 6131", Off: true, Implies: []string{"vacation"},
		Tags: map[string][]Tag{"vacation": {{Name: "seconds", Group: "period", Kind: syntax.Number}}},
	}
}

func vacationCommand(c *Compiler, call *Call) Step {
	text := func(tag string) Text {
		if a := call.Tag(tag); a != nil {
			return c.Text(a)
		}
		return Constant("")
	}
	reason, subject, from, handle := c.Text(call.Args[0]), text("subject"), text("from"), text("handle")
	var addresses List
	if a := call.Tag("addresses"); a != nil {
		addresses = c.List(a)
	}
	if a := call.Tag("from"); a != nil && from.IsConstant() {
		if _, problem := parseAddress(from.constant); problem != "" {
			c.Problem(a.Span, "", "the address '%s' is invalid: %s", from.constant, problem)
			return nil
		}
	}
	seconds := uint64(week)
	if a := call.Tag("seconds"); a != nil {
		seconds = a.Number
	} else if a := call.Tag("days"); a != nil {
		seconds = 24 * 60 * 60 * max(1, min(a.Number, 10_000))
	}
	// The handle is what the command says before its variables are read: an answer that names the subject of the mail
	// is the same answer (RFC 5230 §4.2).
	written := call.Args[0].Text
	for _, tag := range []string{"subject", "from", "mime"} {
		if a := call.Tag(tag); a != nil {
			written += "\x00" + tag + a.Text
		}
	}
	isMIME := call.Has("mime")
	fileTo, ok := fileCopy(c, call)
	if !ok {
		return nil
	}
	return func(r *Run) {
		v := &Vacation{
			Reason: reason.Get(r), MIME: isMIME, Subject: strings.TrimSpace(subject.Get(r)), From: from.Get(r),
			Addresses: addresses.Get(r), Seconds: seconds, Handle: handle.Get(r),
			Copy: fileTo(r),
		}
		if v.Handle == "" {
			v.Handle = written
		}
		if v.From != "" {
			if _, problem := parseAddress(v.From); problem != "" {
				r.Fail("the address '%s' is invalid: %s", v.From, problem)
				return
			}
		}
		r.traceAction("vacation", v.Subject)
		r.act(v)
	}
}
