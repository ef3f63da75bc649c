package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// variables: set, the string test, and ${name} in strings (RFC 5229).
func variables() *Extension {
	return &Extension{
		Name: "variables", Standard: "RFC 5229",
		Definitions: []*Definition{setCommand(), stringTest()},
		Modifiers:   modifiers(),
	}
}

// setter returns how a variable is set; nil where it cannot be, which is a problem.
func (c *Compiler) setter(a *syntax.Argument) func(r *Run, value string) {
	name := message.Lower(a.Text)
	switch {
	case !isVariable(name, false) && isVariable(name, true):
		c.Problem(a.Span, "", "match values such as ${%s} cannot be set", name)
		return nil
	case !isVariable(name, false):
		c.Problem(a.Span, "a letter or _ comes first, then also digits", "'%s' is no name of a variable", a.Text)
		return nil
	}
	if space, rest, ok := strings.Cut(name, "."); ok {
		if space == "global" && c.active["include"] && isVariable(rest, false) && !strings.Contains(rest, ".") {
			return func(r *Run, value string) { r.setGlobal(rest, value) }
		}
		c.Problem(a.Span, "", "there is no namespace '%s' in which variables can be set", space)
		return nil
	}
	if !c.checkName(a.Span, name) || !c.declare(a, name) {
		return nil
	}
	if c.include.isGlobal(name) {
		return func(r *Run, value string) { r.setGlobal(name, value) }
	}
	return func(r *Run, value string) {
		if r.scope.variables == nil {
			r.scope.variables = map[string]string{}
		}
		r.scope.variables[name] = r.fit(value)
	}
}

// declare counts the variables of a script.
func (c *Compiler) declare(a *syntax.Argument, name string) bool {
	if !c.declared[name] && len(c.declared) == c.options.Limits.Variables {
		c.Problem(a.Span, "", "the script has more than %d variables", c.options.Limits.Variables)
	}
	c.declared[name] = true
	return len(c.declared) <= c.options.Limits.Variables
}

// set (RFC 5229 §4).
func setCommand() *Definition {
	return &Definition{
		Name:     "set",
		Params:   []Param{{"name", syntax.String}, {"value", syntax.String}},
		Modifies: true,
		Command: func(c *Compiler, call *Call) Step {
			set := c.setter(call.Args[0])
			modify := c.modify(call)
			value := c.Text(call.Args[1])
			if set == nil {
				return nil
			}
			name := call.Args[0].Text
			return func(r *Run) {
				v := r.fit(r.modified(value.Get(r), modify))
				set(r, v)
				r.traceAction("set", name, " = ", v)
			}
		},
	}
}

// string compares strings, which may have variables (RFC 5229 §5). With :count it counts those that are not empty.
func stringTest() *Definition {
	return &Definition{
		Name:     "string",
		Params:   []Param{{"source", syntax.List}, {"key list", syntax.List}},
		Compares: true,
		Test: func(c *Compiler, call *Call) Test {
			source, m := c.List(call.Args[0]), c.Matcher(call, call.Args[1])
			if m == nil {
				return nil
			}
			return func(r *Run) bool {
				search := m.Search()
				for _, t := range source {
					if v := t.Get(r); m.match.counts && v == "" {
						continue
					} else if search.Try(r, v) {
						return true
					}
				}
				return search.End(r)
			}
		},
	}
}
