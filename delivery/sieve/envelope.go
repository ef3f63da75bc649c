package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// envelope compares addresses of the envelope (RFC 5228 §5.4).
func envelope() *Extension {
	return &Extension{
		Name: "envelope", Standard: "RFC 5228 §5.4",
		Definitions: []*Definition{{
			Name:     "envelope",
			Params:   []Param{{"envelope part", syntax.List}, {"key list", syntax.List}},
			Compares: true, Addresses: true,
			Test: envelopeTest,
		}},
	}
}

// envelopeParts are what a script may ask for; those of Pigeonhole are auth and orig_to. Any other name is an error of
// the script (RFC 5228 §5.4).
var envelopeParts = map[string]func(e *Envelope) (value string, ok bool){
	"from":    func(e *Envelope) (string, bool) { return e.From, true },
	"to":      func(e *Envelope) (string, bool) { return e.To, true },
	"orig_to": func(e *Envelope) (string, bool) { return e.OrigTo, e.OrigTo != "" },
	"auth":    func(e *Envelope) (string, bool) { return e.Auth, e.Auth != "" },
}

func envelopeTest(c *Compiler, call *Call) Test {
	names := c.List(call.Args[0])
	for i, a := range elements(call.Args[0]) {
		if name := message.Lower(a.Text); names[i].IsConstant() && envelopeParts[name] == nil {
			c.Problem(a.Span, `there are "from" and "to"`, "the envelope has no part '%s'", a.Text)
			return nil
		}
	}
	m, part := c.Matcher(call, call.Args[1]), c.part(call)
	if m == nil {
		return nil
	}
	return func(r *Run) bool {
		search := m.Search()
		for _, n := range names {
			name := message.Lower(n.Get(r))
			of := envelopeParts[name]
			if of == nil {
				r.Fail("the envelope has no part '%s'", name)
				return false
			}
			text, ok := of(&r.in.Envelope)
			if !ok {
				continue
			}
			a := message.EnvelopeAddress(text)
			if name == "auth" {
				a = message.Address{Text: text, Local: text, Valid: true}
			}
			if a.Valid && search.address(r, part, &a) {
				return true
			}
		}
		return search.End(r)
	}
}
