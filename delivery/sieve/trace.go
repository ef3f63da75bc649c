package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// An Event is a step of a run, for those who want to see why it did what it did.
type Event struct {
	Script  string `json:"script"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Test    string `json:"test,omitempty"`
	Match   string `json:"match,omitempty"`
	Value   string `json:"value,omitempty"` // what was compared last
	Key     string `json:"key,omitempty"`
	Outcome *bool  `json:"result,omitempty"` // of a test
	Action  string `json:"action,omitempty"`
	Detail  string `json:"detail,omitempty"` // of an action: the folder, the address, the variable with its value
}

// A comparison is what was compared: a value of the message with a key of the script.
type comparison struct{ value, key string }

// maxTraced is how much of a value a trace shows, in octets.
const maxTraced = 200

// traceTest runs a test and traces it.
func (r *Run) traceTest(call *Call, test Test) bool {
	r.compared = comparison{}
	result := test(r)
	e := r.event(call.Command.Span)
	e.Test, e.Outcome = call.Command.Name, &result
	if call.Definition.Compares || call.Definition.Addresses {
		if e.Match = call.Of(matchGroup); e.Match == "" {
			e.Match = "is"
		}
		e.Value, e.Key = shorten(r.compared.value), shorten(r.compared.key)
	}
	r.in.Trace(e)
	return result
}

// traceAction traces what a command does; the details are joined only then.
func (r *Run) traceAction(verb string, details ...string) {
	if r.in.Trace != nil {
		e := r.event(r.at)
		e.Action, e.Detail = verb, shorten(strings.Join(details, ""))
		r.in.Trace(e)
	}
}

func (r *Run) event(at syntax.Span) Event {
	source := syntax.Source{Text: r.program.source.Text}
	e := Event{Script: r.program.Name}
	e.Line, e.Column = source.Position(at.Start)
	return e
}

func shorten(s string) string {
	if len(s) > maxTraced {
		return s[:maxTraced] + "…"
	}
	return s
}
