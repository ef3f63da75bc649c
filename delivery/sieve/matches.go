package sieve

import (
	"strings"
)

// is, contains and matches are those of the base.
func is() *MatchType {
	return &MatchType{Name: "is", prepare: func(m *Matcher, key string) (compiled, error) {
		key = m.comparator.canonical(key)
		return func(_ *Run, v value) bool { return v.canonical == key }, nil
	}}
}

func contains() *MatchType {
	return &MatchType{Name: "contains", substrings: true, prepare: func(m *Matcher, key string) (compiled, error) {
		key = m.comparator.canonical(key)
		return func(_ *Run, v value) bool { return strings.Contains(v.canonical, key) }, nil
	}}
}

func matches() *MatchType {
	return &MatchType{Name: "matches", substrings: true, prepare: func(m *Matcher, key string) (compiled, error) {
		g := parseGlob(m.comparator.canonical(key))
		return func(r *Run, v value) bool {
			wanted := r.program.matches && !m.silent
			spans, ok := g.match(r, v.canonical, wanted)
			if ok && wanted {
				text := v.text
				if !m.comparator.offsets {
					text = v.canonical
				}
				r.scope.setMatches(text, spans)
			}
			return ok
		}, nil
	}}
}
