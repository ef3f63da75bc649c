package sieve

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// replace puts a text in the place of a part of the message, or of all of it (RFC 5703 §5).
func replaceExtension() *Extension {
	return &Extension{
		Name: "replace", Standard: "RFC 5703 §5",
		Definitions: []*Definition{{
			Name:    "replace",
			Params:  []Param{{"replacement", syntax.String}},
			Tags:    []Tag{{Name: "mime"}, {Name: "subject", Kind: syntax.String}, {Name: "from", Kind: syntax.String}},
			Command: replaceCommand,
		}},
	}
}

// A replacement is what a replace command says.
type replacement struct {
	text, subject, from Text
	isMIME              bool
}

func replaceCommand(c *Compiler, call *Call) Step {
	text := c.Text(call.Args[0])
	p := replacement{text: text, isMIME: call.Has("mime")}
	for tag, to := range map[string]*Text{"subject": &p.subject, "from": &p.from} {
		a := call.Tag(tag)
		if a == nil {
			continue
		}
		if p.isMIME {
			c.Problem(a.Span, "an entity has its own header", "the :%s tag of %s cannot be specified with the :mime tag",
				tag, call.name())
			return nil
		}
		*to = c.Text(a)
	}
	if a := call.Tag("from"); a != nil && p.from.IsConstant() {
		if problem := mailboxes(p.from.constant); problem != "" {
			c.Problem(a.Span, "", "the address '%s' is invalid: %s", p.from.constant, problem)
			return nil
		}
	}
	c.Need(NeedsBody | NeedsRewriting)
	return p.run
}

// mailboxes says what is wrong with a list of addresses.
func mailboxes(list string) (problem string) {
	for _, a := range message.ParseAddresses(list) {
		if _, problem := parseAddress(a.Text); problem != "" {
			return problem
		}
	}
	return ""
}

func (p *replacement) run(r *Run) {
	text := p.text.Get(r)
	if !r.spend(16 * (len(text) + 100)) { // it is copied, and stays
		return
	}
	root, err := r.message.Root()
	if !r.noted(err) {
		return
	}
	part := r.loop.part
	switch {
	case part != nil && part.Message() != r.message:
		r.Fail("the message was replaced or enclosed since the loop over its parts began")
		return
	case part == root:
		part = nil
	}
	entity := message.TextEntity(text, part)
	if p.isMIME {
		var ok bool
		if entity, ok = message.Entity(text); !ok {
			r.Fail("the replacement is no entity of MIME: a header, an empty line and a body")
			return
		}
	}
	r.traceAction("replace", text)
	if part != nil {
		err = part.Replace(entity)
	} else {
		err = p.whole(r, root, entity)
	}
	if err != nil {
		r.Fail("the message cannot be replaced: %v", err)
		return
	}
	r.rewritten = true
	r.shared.texts = texts{} // they were those of the parts before
}

// whole replaces the message. What was its subject and who it was from stay in fields of other names.
func (p *replacement) whole(r *Run, root *message.Part, entity string) error {
	header := slices.Clone(r.header)
	if subject := p.subject.Get(r); subject != "" {
		header = renewed(header, "Subject", encodeValue(subject))
	}
	if from := p.from.Get(r); from != "" && mailboxes(from) == "" {
		header = renewed(header, "From", encodeValue(from))
	}
	m, err := message.WithEntity(header, entity)
	if err != nil {
		return err
	}
	root.Parts = nil // a loop over them ends
	r.message, r.header = m, m.Header
	if r.loop.part != nil {
		r.loop.part, err = m.Root()
	}
	return err
}

// renewed returns a header with another value of a field, whose present one is kept as Original-NAME.
func renewed(header []*message.Field, name, value string) []*message.Field {
	at := -1
	for i, f := range header {
		if strings.EqualFold(f.Name, name) {
			header[i] = f.Renamed("Original-" + name)
			at = i
		}
	}
	return slices.Insert(header, at+1, message.NewField(name, value))
}
