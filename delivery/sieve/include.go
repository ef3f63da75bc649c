package sieve

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// include: include, return, and global variables (RFC 6609).
func include() *Extension {
	return &Extension{
		Name: "include", Standard: "RFC 6609",
		Definitions: []*Definition{
			{
				Name:   "include",
				Params: []Param{{"script name", syntax.String}},
				Tags: []Tag{
					{Name: "once"}, {Name: "optional"}, {Name: "personal", Group: "place"}, {Name: "global", Group: "place"},
				},
				Command: includeCommand,
			},
			{
				Name: "return",
				Command: func(*Compiler, *Call) Step {
					return func(r *Run) { r.halt = returned }
				},
			},
			{
				Name:    "global",
				Params:  []Param{{"variables", syntax.List}},
				Command: globalCommand,
			},
		},
		Namespaces: map[string]func(*Compiler, syntax.Span, string) Text{"global": readGlobal},
	}
}

// includeCommand compiles the other script into this one, once for all the places in which it is included.
func includeCommand(c *Compiler, call *Call) Step {
	a := call.Args[0]
	text := c.Text(a)
	place := call.Of("place")
	if place == "" {
		place = "personal"
	}
	if !text.IsConstant() || !isScript(text.constant) {
		c.Problem(a.Span, "", "'%s' is no name of a script that can be included", a.Text)
		return nil
	}
	p, ok := c.included(call, place, text.constant)
	if !ok || p == nil {
		return noStep(ok)
	}
	c.Need(p.needs)
	once := call.Has("once")
	return func(r *Run) {
		if !once || !r.shared.begun[p] {
			r.runIncluded(p)
		}
	}
}

// noStep is a command that does nothing, or one of which a problem was noted.
func noStep(ok bool) Step {
	if !ok {
		return nil
	}
	return func(*Run) {}
}

// included returns the program of a script; nil if there is none, which is fine for an optional one.
func (c *Compiler) included(call *Call, place, name string) (p *Program, ok bool) {
	key := place + " " + name
	limits := &c.options.Limits
	*c.include.count++
	switch {
	case slices.Contains(c.include.path, key) && call.Has("once"):
		return nil, true // it has begun already when this place is reached
	case slices.Contains(c.include.path, key):
		c.Problem(call.Command.Span, "", "the script '%s' includes itself", name)
		return nil, false
	case len(c.include.path) >= limits.IncludeDepth:
		c.Problem(call.Command.Span, "", "scripts include one another more than %d deep", limits.IncludeDepth)
		return nil, false
	case *c.include.count > limits.Includes:
		c.Problem(call.Command.Span, "", "more than %d scripts are included", limits.Includes)
		return nil, false
	}
	if p, ok := c.include.compiled[key]; ok {
		return p, p != nil
	}
	c.include.compiled[key] = nil // until it is compiled
	if c.options.Included == nil {
		c.Problem(call.Command.Span, "", "scripts cannot be included here")
		return nil, false
	}
	source, err := c.options.Included(place, name)
	if err != nil {
		delete(c.include.compiled, key) // another place may not do without it
		if !call.Has("optional") {
			c.Problem(call.Args[0].Span, "", "the %s script '%s' cannot be read: %v", place, name, err)
		}
		return nil, call.Has("optional")
	}
	allowed := c.options.Allowed
	if place == "global" {
		allowed = c.options.AllowedGlobal
	}
	other := newCompiler(source, c.options, newLanguage(c.registry, allowed))
	*other.include = includes{
		globals: map[string]bool{}, path: append(slices.Clone(c.include.path), key),
		compiled: c.include.compiled, count: c.include.count,
	}
	other.run()
	c.problems.List = append(c.problems.List, other.problems.List...)
	if other.problems.Failed() {
		c.Problem(call.Command.Span, "", "the included script '%s' has problems", name)
		return nil, false
	}
	c.include.compiled[key] = other.program
	return other.program, true
}

// isScript reports whether a name is that of a script (RFC 5804 §1.6).
func isScript(name string) bool {
	return name != "" && len(name) <= 256 && utf8.ValidString(name) && !strings.HasPrefix(name, ".") &&
		!strings.ContainsFunc(name, func(c rune) bool {
			return c == '/' || unicode.IsControl(c) || c == '\u2028' || c == '\u2029'
		})
}

// runIncluded runs another script: it has its own variables.
func (r *Run) runIncluded(p *Program) {
	program, own := r.program, r.scope
	if r.shared.begun == nil {
		r.shared.begun = map[*Program]bool{}
	}
	r.shared.begun[p] = true
	r.program, r.scope = p, &scope{}
	p.main(r)
	r.program, r.scope = program, own
	if r.halt == returned {
		r.halt = running
	}
}

// globalCommand makes variables of a script ones that it shares.
func globalCommand(c *Compiler, call *Call) Step {
	if !c.active["variables"] {
		c.Problem(call.NameSpan(), `add: require "variables";`, "the global command needs the extension variables")
		return nil
	}
	for _, a := range elements(call.Args[0]) {
		name := message.Lower(a.Text)
		switch {
		case !isVariable(name, false) || strings.Contains(name, "."):
			c.Problem(a.Span, "", "'%s' is no name of a variable", a.Text)
			return nil
		case c.declared[name] && !c.include.globals[name]:
			c.Problem(a.Span, "", "the variable '%s' was set before it is made global", a.Text)
			return nil
		}
		c.include.globals[name] = true
	}
	return noStep(true)
}

// readGlobal reads ${global.name}, which needs no declaration.
func readGlobal(c *Compiler, at syntax.Span, name string) Text {
	if !isVariable(name, false) || strings.Contains(name, ".") {
		c.Problem(at, "", "'%s' is no name of a global variable", name)
		return Constant("")
	}
	return Computed(func(r *Run) string { return r.shared.globals[name] })
}
