package sieve

import (
	"errors"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A MatchType says how a value and a key are compared (RFC 5228 §2.7.1).
type MatchType struct {
	Name string
	// Kind is that of the tag's parameter.
	Kind syntax.Kind
	// substrings says that the comparator has to support substrings.
	substrings bool
	// counts says that it is not values that are compared, but how many there are.
	counts bool
	// prepare compiles a key, constant or not; it is called once for a constant.
	prepare func(m *Matcher, key string) (compiled, error)
	// check looks at the call when it is compiled.
	check func(c *Compiler, call *Call, m *Matcher) bool
}

// compiled is a key that is ready to be compared with values.
type compiled func(r *Run, v value) bool

// A value is what a test compares: the text, and its canonical form.
type value struct{ text, canonical string }

// A Matcher compares values with the keys of a test.
type Matcher struct {
	comparator *Comparator
	match      *MatchType
	relation   func(int) bool // of :value and :count
	keys       List
	prepared   []compiled // of the keys that are constant
	silent     bool       // match values are not set
	split      bool       // keys are lists of flags, each of which is a key
}

// Matcher compiles the match type, the comparator and the keys of a test. It returns nil where it noted a problem.
func (c *Compiler) Matcher(call *Call, keys *syntax.Argument) *Matcher {
	m := &Matcher{keys: c.List(keys)}
	if m.comparator = c.comparator(call); m.comparator == nil {
		return nil
	}
	name := call.Of(matchGroup)
	if name == "" {
		name = "is"
	}
	for _, match := range c.matches {
		if match.Name == name {
			m.match = match
		}
	}
	if m.match.substrings && !m.comparator.substrings {
		c.Problem(*call.TagSpan(name), "", "the comparator \"%s\" supports no parts of texts, which :%s compares",
			m.comparator.Name, name)
		return nil
	}
	if m.match.check != nil && !m.match.check(c, call, m) {
		return nil
	}
	for i, k := range m.keys {
		if problem := m.prepare(k); problem != nil {
			c.Problem(elements(keys)[i].Span, "", "%v", problem)
			return nil
		}
	}
	return m
}

// prepare compiles a key, if it is constant.
func (m *Matcher) prepare(key Text) (err error) {
	var match compiled
	if key.IsConstant() {
		match, err = m.match.prepare(m, key.constant)
	}
	m.prepared = append(m.prepared, match)
	return err
}

// splitKeys makes each word of the keys a key of its own, as flags are (RFC 5232 §2).
func (m *Matcher) splitKeys() {
	keys := m.keys
	m.keys, m.prepared, m.split = nil, nil, true
	for _, k := range keys {
		words := List{k}
		if k.IsConstant() {
			words = nil
			for word := range strings.FieldsSeq(k.constant) {
				words = append(words, Constant(word))
			}
		}
		for _, word := range words {
			if m.prepare(word) == nil { // it was when it was part of a key
				m.keys = append(m.keys, word)
			}
		}
	}
}

// comparator returns the one that a test names, or the default; nil where it noted a problem.
func (c *Compiler) comparator(call *Call) *Comparator {
	name := "i;ascii-casemap"
	a := call.Tag("comparator")
	if a != nil {
		name = a.Text
	}
	for _, known := range c.comparators {
		if known.Name == name {
			return known
		}
	}
	hint := ""
	if capability := "comparator-" + name; c.find(capability) != nil {
		hint = `add: require "` + capability + `";`
	}
	c.Problem(a.Span, hint, "unknown comparator '%s' for %s", name, call.name())
	return nil
}

// A Search feeds values to a matcher until one matches.
type Search struct {
	m     *Matcher
	count int
}

// Search begins one.
func (m *Matcher) Search() Search { return Search{m: m} }

// Try reports whether a value matches; with :count it counts it.
func (s *Search) Try(r *Run, text string) bool {
	if s.m.match.counts {
		s.count++
		return false
	}
	if cost := s.m.comparator.cost; cost > 0 && !r.spend(cost*len(text)) {
		return false
	}
	return s.m.try(r, value{text, s.m.comparator.canonical(text)})
}

// field tries the value of a header field.
func (s *Search) field(r *Run, f *message.Field) bool {
	switch {
	case s.m.match.counts:
		s.count++
		return false
	case s.m.comparator.Name == "i;ascii-casemap":
		return s.m.try(r, value{f.Value(), f.Folded()})
	}
	return s.Try(r, f.Value())
}

// End reports whether the values matched, when all were tried.
func (s *Search) End(r *Run) bool {
	if !s.m.match.counts {
		return false
	}
	n := decimal(s.count)
	return s.m.try(r, value{n, s.m.comparator.canonical(n)})
}

// one reports whether one value matches.
func (m *Matcher) one(r *Run, text string) bool {
	search := m.Search()
	return search.Try(r, text) || search.End(r)
}

// try compares a value with each key. The budget pays for the octets that are looked at.
func (m *Matcher) try(r *Run, v value) bool {
	for i, match := range m.prepared {
		if !r.spend(len(v.canonical) + 1) {
			return false
		}
		if match == nil {
			if m.computed(r, m.keys[i].Get(r), v) {
				return true
			}
			continue
		}
		if r.in.Trace != nil {
			r.compared = comparison{v.text, m.keys[i].constant}
		}
		if match(r, v) {
			return true
		}
	}
	return false
}

// computed compares a value with a key that has variables.
func (m *Matcher) computed(r *Run, key string, v value) bool {
	keys := []string{key}
	if m.split {
		keys = strings.Fields(key)
	}
	for _, key := range keys {
		match, err := m.match.prepare(m, key)
		if limit := (*limitError)(nil); errors.As(err, &limit) {
			r.Fail("%s", limit.text)
			return false
		}
		if err != nil { // it matches nothing
			r.warn(err.Error())
			continue
		}
		if r.in.Trace != nil {
			r.compared = comparison{v.text, key}
		}
		if match(r, v) {
			return true
		}
	}
	return false
}
