package sieve

import (
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// interpolate compiles a string with variables. What only looks like one stays as it is.
func (c *Compiler) interpolate(at syntax.Span, s string) Text {
	if !strings.Contains(s, "${") {
		return Constant(s)
	}
	var t Text
	plain := 0 // from where on s was not taken yet
	for i := 0; i < len(s); {
		name, length := reference(s[i:])
		if length == 0 {
			i++
			continue
		}
		if i > plain {
			text := s[plain:i]
			t.parts = append(t.parts, func(*Run) string { return text })
		}
		if get := c.variable(at, name); get != nil {
			t.parts = append(t.parts, get)
		}
		i += length
		plain = i
	}
	if t.parts == nil {
		return Constant(s)
	}
	if plain < len(s) {
		text := s[plain:]
		t.parts = append(t.parts, func(*Run) string { return text })
	}
	return t
}

// reference returns the name in ${name} at the start of s, and its length; 0 if there is none.
func reference(s string) (name string, length int) {
	if !strings.HasPrefix(s, "${") {
		return "", 0
	}
	end := strings.IndexByte(s, '}')
	if end < 0 || !isVariable(s[2:end], true) {
		return "", 0
	}
	return message.Lower(s[2:end]), end + 1
}

// isVariable reports whether a name is well-formed: identifiers with dots between them, or, where match values may be
// read, a number.
func isVariable(name string, read bool) bool {
	for i, part := range strings.Split(name, ".") {
		if part == "" {
			return false
		}
		digits := strings.Trim(part, "0123456789") == ""
		if digits && i == 0 && part != name {
			return false
		}
		if !digits && '0' <= part[0] && part[0] <= '9' || digits && i == 0 && !read {
			return false
		}
		for j := range len(part) {
			if c := part[j] | 0x20; (c < 'a' || c > 'z') && part[j] != '_' && (part[j] < '0' || part[j] > '9') {
				return false
			}
		}
	}
	return true
}

// variable returns how a variable is read; nil where there is none, which is a problem.
func (c *Compiler) variable(at syntax.Span, name string) func(*Run) string {
	if n, ok := matchNumber(name); ok {
		if n > maxMatchValue {
			c.Problem(at, "", "the match value ${%d} is beyond ${%d}", n, maxMatchValue)
			return nil
		}
		c.program.matches = true
		return func(r *Run) string { return r.scope.match(n) }
	}
	if space, rest, ok := strings.Cut(name, "."); ok {
		return c.inNamespace(at, space, rest)
	}
	if !c.checkName(at, name) {
		return nil
	}
	if c.include.isGlobal(name) {
		return func(r *Run) string { return r.shared.globals[name] }
	}
	return func(r *Run) string { return r.scope.variables[name] }
}

// matchNumber returns n of a match value, ${n}.
func matchNumber(name string) (n int, ok bool) {
	if name[0] < '0' || name[0] > '9' {
		return 0, false
	}
	n, err := strconv.Atoi(name)
	return n, err == nil
}

// inNamespace reads a variable of a namespace that an extension has.
func (c *Compiler) inNamespace(at syntax.Span, space, rest string) func(*Run) string {
	for _, e := range c.registry {
		if get := e.Namespaces[space]; get != nil && c.active[e.Name] {
			t := get(c, at, rest)
			return t.Get
		}
	}
	c.Problem(at, "", "there is no namespace '%s' for variables", space)
	return nil
}

func (c *Compiler) checkName(at syntax.Span, name string) bool {
	if len(name) > maxVariableName {
		c.Problem(at, "", "the name of the variable is longer than %d characters", maxVariableName)
		return false
	}
	return true
}

// Limits of names and match values (RFC 5229 §3, §3.2).
const (
	maxVariableName = 64
	maxMatchValue   = 32
)
