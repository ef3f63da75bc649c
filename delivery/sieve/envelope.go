package sieve

import (
	"strings"

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
	names, dsn := c.List(call.Args[0]), c.active["envelope-dsn"]
	known := func(name string) bool { return envelopeParts[name] != nil || dsn && dsnParts[name] != nil }
	for i, a := range elements(call.Args[0]) {
		if name := message.Lower(a.Text); names[i].IsConstant() && !known(name) {
			hint := `there are "from" and "to"`
			if dsnParts[name] != nil {
				hint = `add: require "envelope-dsn";`
			}
			c.Problem(a.Span, hint, "the envelope has no part '%s'", a.Text)
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
			if !known(name) {
				r.Fail("the envelope has no part '%s'", name)
				return false
			}
			if search.envelope(r, name, part) {
				return true
			}
		}
		return search.End(r)
	}
}

// envelope tries a part of the envelope.
func (s *Search) envelope(r *Run, name string, part *AddressPart) bool {
	if of := envelopeParts[name]; of != nil {
		text, ok := of(&r.in.Envelope)
		a := message.EnvelopeAddress(text)
		if name == "auth" {
			a = message.Address{Text: text, Local: text, Valid: true}
		}
		return ok && a.Valid && s.address(r, part, &a)
	}
	for _, text := range dsnParts[name](&r.in.Envelope) {
		a := message.Address{Text: text} // which has no parts
		if kind, address, ok := strings.Cut(text, ";"); name == "orcpt" && ok && hasAddress(kind) {
			a = message.EnvelopeAddress(address)
			a.Text = text
		}
		if value, ok := part.of(r, &a); ok && s.Try(r, value) {
			return true
		}
	}
	return false
}

// hasAddress reports whether the addresses of a type are those of mail (RFC 3461 §4.2, RFC 6533 §3).
func hasAddress(kind string) bool {
	return strings.EqualFold(kind, "rfc822") || strings.EqualFold(kind, "utf-8")
}
