package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Text is a string of a script. It may have variables, which are read when it is used (RFC 5229 §3).
type Text struct {
	constant string
	parts    []func(*Run) string // if it has variables
}

// Constant is a text without variables.
func Constant(s string) Text { return Text{constant: s} }

// Computed is a text that is known at run time.
func Computed(f func(*Run) string) Text { return Text{parts: []func(*Run) string{f}} }

// IsConstant reports whether the text has no variables.
func (t Text) IsConstant() bool { return t.parts == nil }

// Get returns the text in a run.
func (t Text) Get(r *Run) string {
	switch len(t.parts) {
	case 0:
		return t.constant
	case 1:
		return t.parts[0](r)
	}
	values := make([]string, 0, len(t.parts))
	for _, part := range t.parts {
		value := part(r)
		if !r.spend(costJoined * len(value)) {
			break
		}
		values = append(values, value)
	}
	return strings.Join(values, "")
}

// A List is a string list of a script.
type List []Text

// Get returns the strings in a run.
func (l List) Get(r *Run) []string {
	values := make([]string, len(l))
	for i, t := range l {
		values[i] = t.Get(r)
	}
	return values
}

// Constants returns the strings if none has variables.
func (l List) Constants() (values []string, ok bool) {
	for _, t := range l {
		if !t.IsConstant() {
			return nil, false
		}
		values = append(values, t.constant)
	}
	return values, true
}

// Text compiles a string argument.
func (c *Compiler) Text(a *syntax.Argument) Text {
	s := a.Text
	if c.active["encoded-character"] {
		s = c.decodeCharacters(a.Span, s)
	}
	if c.active["variables"] {
		return c.interpolate(a.Span, s)
	}
	return Constant(s)
}

// List compiles a string list, or a single string in place of one.
func (c *Compiler) List(a *syntax.Argument) List {
	if a.Kind == syntax.String {
		return List{c.Text(a)}
	}
	list := make(List, len(a.List))
	for i := range a.List {
		list[i] = c.Text(&a.List[i])
	}
	return list
}

// elements returns the strings of a list argument, or the one string.
func elements(a *syntax.Argument) []syntax.Argument {
	if a.Kind == syntax.List {
		return a.List
	}
	return []syntax.Argument{*a}
}
