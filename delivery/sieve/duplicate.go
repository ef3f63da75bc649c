package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// duplicate: whether a message was seen before (RFC 7352).
func duplicate() *Extension {
	const id = "identifier"
	return &Extension{
		Name: "duplicate", Standard: "RFC 7352",
		Definitions: []*Definition{{
			Name: "duplicate",
			Tags: []Tag{
				{Name: "handle", Kind: syntax.String}, {Name: "header", Group: id, Kind: syntax.String},
				{Name: "uniqueid", Group: id, Kind: syntax.String}, {Name: "seconds", Kind: syntax.Number}, {Name: "last"},
			},
			Test: duplicateTest,
		}},
	}
}

// Limits of the time for which a message is remembered (RFC 7352 §3.3 and §6).
const maxMarkSeconds = week

func duplicateTest(c *Compiler, call *Call) Test {
	var handle Text
	if a := call.Tag("handle"); a != nil {
		handle = c.Text(a)
	}
	id := func(r *Run) (string, bool) { return firstValue(r.header, "message-id") }
	if a := call.Tag("header"); a != nil {
		name, ok := c.fieldName(a)
		if !ok {
			return nil
		}
		id = func(r *Run) (string, bool) { return firstValue(r.header, message.Lower(name.Get(r))) }
	} else if a := call.Tag("uniqueid"); a != nil {
		text := c.Text(a)
		id = func(r *Run) (string, bool) { return text.Get(r), true }
	}
	seconds := uint64(maxMarkSeconds)
	if a := call.Tag("seconds"); a != nil {
		seconds = min(a.Number, maxMarkSeconds)
	}
	last := call.Has("last")
	return func(r *Run) bool {
		value, ok := id(r)
		if !ok || seconds == 0 {
			return false
		}
		m := Mark{Handle: handle.Get(r), ID: value, Seconds: seconds}
		seen := r.in.Host.Seen(r.ctx, m.Handle, m.ID)
		if !seen || last { // with :last the time begins anew
			r.result.mark(m)
		}
		return seen
	}
}

// firstValue returns the value of the first field of a name.
func firstValue(header []*message.Field, key string) (string, bool) {
	for _, f := range header {
		if f.Key() == key {
			return f.Value(), true
		}
	}
	return "", false
}
