package sieve

import (
	"mime"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// editheader: addheader and deleteheader (RFC 5293).
func editheader() *Extension {
	return &Extension{
		Name: "editheader", Standard: "RFC 5293", Off: true,
		Definitions: []*Definition{
			{
				Name:    "addheader",
				Params:  []Param{{"field name", syntax.String}, {"value", syntax.String}},
				Tags:    []Tag{{Name: "last"}},
				Command: addheaderCommand,
			},
			{
				Name:     "deleteheader",
				Params:   []Param{{"field name", syntax.String}, {"value patterns", syntax.List}},
				Trailing: true, Optional: 1, Compares: true,
				Tags:    []Tag{{Name: "index", Kind: syntax.Number}, {Name: "last"}},
				Command: deleteheaderCommand,
			},
		},
	}
}

// fieldName compiles the name of a field.
func (c *Compiler) fieldName(a *syntax.Argument) (Text, bool) {
	name := c.Text(a)
	if name.IsConstant() && !isFieldName(name.constant) {
		c.Problem(a.Span, "", "the field name '%s' is invalid", name.constant)
		return name, false
	}
	return name, true
}

// isFieldName reports whether a name is one of a field (RFC 5322 §2.2).
func isFieldName(name string) bool {
	return name != "" && len(name) <= 256 &&
		!strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == ':' })
}

// isFieldValue reports whether a value can be that of a field: text without controls but line ends and tabs, which
// fold.
func isFieldValue(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, func(c rune) bool {
		return c < ' ' && c != '\t' && c != '\r' && c != '\n' || c == 0x7f
	})
}

func addheaderCommand(c *Compiler, call *Call) Step {
	name, ok := c.fieldName(call.Args[0])
	value := c.Text(call.Args[1])
	if ok && value.IsConstant() {
		switch {
		case !isFieldValue(value.constant):
			c.Problem(call.Args[1].Span, "", "the value '%s' of the field is invalid", shorten(value.constant))
			ok = false
		case len(name.constant)+len(value.constant) > c.options.Limits.FieldSize:
			c.Problem(call.Args[1].Span, "", "the field is longer than %d octets", c.options.Limits.FieldSize)
			ok = false
		}
	}
	if !ok {
		return nil
	}
	last := call.Has("last")
	return func(r *Run) {
		n, v := name.Get(r), value.Get(r)
		switch {
		case !isFieldName(n):
			r.Fail("the field name '%s' is invalid", n)
		case !isFieldValue(v):
			r.Fail("the value '%s' of the field is invalid", shorten(v))
		case len(n)+len(v) > r.limits.FieldSize:
			r.Fail("the field is longer than %d octets", r.limits.FieldSize)
		case len(r.header) >= message.MaxFields:
			r.Fail("the header has more than %d fields", message.MaxFields)
		case r.mayEdit(n, true):
			r.addField(n, v, last)
		}
	}
}

// addField adds a field before all others, or after them.
func (r *Run) addField(name, value string, last bool) {
	if !r.spend(costEdit * len(r.header)) {
		return
	}
	f := message.NewField(name, encodeValue(value))
	r.traceAction("addheader", name, ": ", value)
	if last {
		r.header = append(slices.Clone(r.header), f)
		return
	}
	r.header = append([]*message.Field{f}, r.header...)
}

// lineEnds are line ends with the white space after them.
var lineEnds = regexp.MustCompile(`[\r\n]+[ \t]*`)

// encodeValue makes one line of a value, with encoded words for what is not ASCII (RFC 2047).
func encodeValue(value string) string {
	value = strings.TrimSpace(lineEnds.ReplaceAllString(value, " "))
	if strings.ContainsFunc(value, func(c rune) bool { return c >= 0x80 }) {
		value = strings.ReplaceAll(mime.QEncoding.Encode("utf-8", value), "?= =?", "?=\r\n =?")
	}
	return value
}

// mayEdit reports whether a field may be added or deleted. What protects against loops may not be deleted (RFC 5293
// §7); an edit that may not be is left out.
func (r *Run) mayEdit(name string, add bool) bool {
	key := message.Lower(name)
	if key == "subject" {
		return true // which no configuration can protect (RFC 5293 §7)
	}
	if protected := r.program.options.Protected; protected != nil && protected(key, add) {
		return false
	}
	return add || key != "received" && key != "auto-submitted"
}

func deleteheaderCommand(c *Compiler, call *Call) Step {
	s, ok := c.selection(call, call.Args[0])
	if !ok {
		return nil
	}
	name, ok := c.fieldName(call.Args[0])
	var m *Matcher
	if call.Args[1] != nil {
		m = c.Matcher(call, call.Args[1])
		ok = ok && m != nil
	}
	if !ok {
		return nil
	}
	return func(r *Run) {
		n := name.Get(r)
		if !isFieldName(n) {
			r.Fail("the field name '%s' is invalid", n)
			return
		}
		if !r.mayEdit(n, false) {
			return
		}
		deleted := map[*message.Field]bool{}
		counted := m != nil && m.match.counts
		all := Search{m: m}
		it := s.fields(r)
		for f := it.next(r); f != nil; f = it.next(r) {
			if counted {
				all.field(r, f)
				deleted[f] = true
				continue
			}
			if one := (Search{m: m}); m == nil || one.field(r, f) {
				deleted[f] = true
			}
		}
		if len(deleted) > 0 && (!counted || all.End(r)) && r.spend(costEdit*len(r.header)) {
			r.header = slices.DeleteFunc(slices.Clone(r.header), func(f *message.Field) bool { return deleted[f] })
			r.traceAction("deleteheader", n)
		}
	}
}
