package sieve

import (
	"crypto/rand"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// enclose makes the message an attachment of another one, with a text (RFC 5703 §6).
func enclose() *Extension {
	return &Extension{
		Name: "enclose", Standard: "RFC 5703 §6",
		Definitions: []*Definition{{
			Name:    "enclose",
			Params:  []Param{{"text", syntax.String}},
			Tags:    []Tag{{Name: "subject", Kind: syntax.String}, {Name: "headers", Kind: syntax.List}},
			Command: encloseCommand,
		}},
	}
}

// maxEnclosures is how often a message may be enclosed.
const maxEnclosures = 10

func encloseCommand(c *Compiler, call *Call) Step {
	text, subject := c.Text(call.Args[0]), Constant("")
	if a := call.Tag("subject"); a != nil {
		subject = c.Text(a)
	}
	var names List
	if a := call.Tag("headers"); a != nil {
		for _, e := range elements(a) {
			name, ok := c.fieldName(&e)
			if !ok {
				return nil
			}
			names = append(names, name)
		}
	}
	c.Need(NeedsBody | NeedsRewriting)
	return func(r *Run) {
		words := text.Get(r)
		octets := len(words)
		for _, f := range r.header {
			octets += int(f.Size())
		}
		if !r.spend(octets) {
			return
		}
		if r.enclosures == maxEnclosures {
			r.Fail("the message is enclosed more than %d times", maxEnclosures)
			return
		}
		header := enclosing(r, names.Get(r), subject.Get(r))
		m, err := message.Enclosed(header, words, "=_doorstep_"+rand.Text(), r.message, r.header)
		if err != nil {
			r.Fail("the message cannot be enclosed: %v", err)
			return
		}
		before := r.content
		r.traceAction("enclose", words)
		r.content = content{
			header: m.Header, message: m, rewritten: true, enclosed: before.sent(), enclosures: before.enclosures + 1,
		}
	}
}

// enclosing is the header of the message around: fields that are copied, the subject, and who and when it is from.
func enclosing(r *Run, names []string, subject string) (header []*message.Field) {
	copied := map[string]bool{}
	take := func(key string) {
		for _, f := range r.header {
			if f.Key() == key && !copied[key] {
				header = append(header, f)
			}
		}
		copied[key] = true
	}
	for _, name := range names {
		take(message.Lower(name))
	}
	if to := r.in.Envelope.To; to == "" {
		take("from") // it is not known who runs the script
	} else if !copied["from"] {
		header = append(header, message.NewField("From", "<"+to+">"))
	}
	if !copied["date"] {
		header = append(header, message.NewField("Date", r.in.Now.Format(time.RFC1123Z)))
	}
	switch {
	case subject != "":
		header = append(header, message.NewField("Subject", encodeValue(subject)))
	default:
		take("subject")
	}
	return header
}
