package sieve

import (
	"unicode/utf8"
)

// A scope has the variables of a script, and what the wildcards of its last match stood for.
type scope struct {
	variables map[string]string
	matched   string
	spans     []int // of the match values in matched, in pairs; ${0} is matched
}

// setMatches keeps the match values of a test that was true (RFC 5229 §3.2).
func (s *scope) setMatches(text string, spans []int) { s.matched, s.spans = text, spans }

// match returns ${n}.
func (s *scope) match(n int) string {
	if n == 0 {
		return s.matched
	}
	if i := 2 * (n - 1); i+1 < len(s.spans) && s.spans[i] >= 0 {
		return s.matched[s.spans[i]:s.spans[i+1]]
	}
	return ""
}

// includes is what a compiler knows of the scripts around it.
type includes struct {
	globals  map[string]bool // variables that the script shares with others
	loops    []string        // the names of the loops around a command, the innermost last
	path     []string        // the scripts that lead here, this one last
	compiled map[string]*Program
	count    *int
}

func newIncludes() *includes {
	return &includes{globals: map[string]bool{}, compiled: map[string]*Program{}, count: new(int)}
}

func (i *includes) isGlobal(name string) bool { return i.globals[name] }

func (r *Run) setGlobal(name, value string) {
	if r.shared.globals == nil {
		r.shared.globals = map[string]string{}
	}
	r.shared.globals[name] = r.fit(value)
}

// fit cuts a value that is too long, between two characters (RFC 5229 §6).
func (r *Run) fit(value string) string { return cutText(value, r.limits.VariableSize) }

func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
