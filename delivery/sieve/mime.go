package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// mime lets header, address and exists look at parts of the message (RFC 5703 §4).
func mimeExtension() *Extension {
	parts := []Tag{{Name: "mime"}, {Name: "anychild"}}
	const option = "option of :mime"
	return &Extension{
		Name: "mime", Standard: "RFC 5703 §4",
		Tags: map[string][]Tag{
			"address": parts, "exists": parts,
			"header": append([]Tag{
				{Name: "type", Group: option}, {Name: "subtype", Group: option}, {Name: "contenttype", Group: option},
				{Name: "param", Group: option, Kind: syntax.List},
			}, parts...),
		},
	}
}

// where is the header that a test looks at: that of the message, or with :mime that of the current part, and with
// :anychild those of all parts in it.
type where struct{ mime, anychild bool }

// where compiles the tags of mime.
func (c *Compiler) where(call *Call) (where, bool) {
	w := where{mime: call.Has("mime"), anychild: call.Has("anychild")}
	for _, name := range []string{"anychild", "type", "subtype", "contenttype", "param"} {
		if span := call.TagSpan(name); span != nil && !w.mime && call.Command.Name != "body" {
			c.Problem(*span, "", "the :%s tag of %s cannot be specified without the :mime tag", name, call.name())
			return w, false
		}
	}
	if w.mime {
		c.Need(NeedsBody)
	}
	return w, true
}

// header returns the fields to look at.
func (w where) header(r *Run) []*message.Field {
	if !w.mime || !w.anychild && r.loop.part == nil {
		return r.header
	}
	root, err := r.message.Root()
	if !r.noted(err) {
		return nil
	}
	part := r.loop.part
	if part == nil {
		part = root
	}
	headerOf := func(p *message.Part) []*message.Field {
		if p == root {
			return r.header
		}
		return p.Header
	}
	if !w.anychild {
		return headerOf(part)
	}
	var all []*message.Field
	part.All(func(p *message.Part) bool {
		all = append(all, headerOf(p)...)
		return r.spend(costPart * (len(p.Header) + 1))
	})
	return all
}

// option compiles what of the value of a field is compared: nil is all of it.
func (c *Compiler) option(call *Call) func(r *Run, f *message.Field) []string {
	kind := func(of func(string) string) func(*Run, *message.Field) []string {
		return func(r *Run, f *message.Field) []string {
			if !r.spend(costMedia * int(f.Size())) {
				return nil
			}
			value, _ := f.Media()
			return []string{of(value)}
		}
	}
	switch call.Of("option of :mime") {
	case "type":
		return kind(func(s string) string { kind, _, _ := strings.Cut(s, "/"); return kind })
	case "subtype":
		return kind(func(s string) string { _, sub, _ := strings.Cut(s, "/"); return sub })
	case "contenttype":
		return kind(func(s string) string { return s })
	case "param":
		names := c.List(call.Tag("param"))
		return func(r *Run, f *message.Field) (values []string) {
			if !r.spend(costMedia * int(f.Size())) {
				return nil
			}
			_, params := f.Media()
			for _, n := range names {
				if value, ok := params[message.Lower(n.Get(r))]; ok {
					values = append(values, value)
				}
			}
			return values
		}
	}
	return nil
}
