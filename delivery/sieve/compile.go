package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Compiler makes a program of a script, and notes its problems.
type Compiler struct {
	*language
	options  *Options
	problems *syntax.Problems
	program  *Program

	// unknown are commands, and "command :tag", of which it was noted that they are unknown: once is enough.
	unknown  map[string]bool
	unread   bool // a require has an error of the grammar: what is unknown may be in it
	began    bool // a command other than require was there
	depth    int
	declared map[string]bool // variables
	include  *includes
}

func newCompiler(source *syntax.Source, o *Options, l *language) *Compiler {
	return &Compiler{
		language: l, options: o, problems: &syntax.Problems{Source: source},
		program: &Program{Name: source.Name, source: source, options: o},
		unknown: map[string]bool{}, declared: map[string]bool{}, include: newIncludes(),
	}
}

// run compiles the script. It does so after errors of the grammar as well, to find what else is wrong.
func (c *Compiler) run() {
	c.program.main = c.block(syntax.Parse(c.program.source, c.problems).Commands)
}

// Problem notes an error in the script.
func (c *Compiler) Problem(at syntax.Span, hint, format string, args ...any) {
	c.problems.Add(at, hint, format, args...)
}

// Need notes what the program needs.
func (c *Compiler) Need(n Needs) { c.program.needs |= n }

// block compiles commands that follow one another.
func (c *Compiler) block(commands []*syntax.Command) Step {
	steps := make([]Step, 0, len(commands))
	var previous *syntax.Command
	c.depth++
	for _, command := range commands {
		if c.problems.Full() {
			break
		}
		if step := c.command(command, previous); step != nil {
			steps = append(steps, step)
		}
		previous = command
	}
	c.depth--
	return func(r *Run) {
		for _, step := range steps {
			if step(r); r.halt != running {
				return
			}
		}
	}
}

// command compiles one. It returns nil where it noted a problem.
func (c *Compiler) command(s *syntax.Command, previous *syntax.Command) Step {
	if s.Name != "require" && !c.began {
		c.began, c.program.first = true, s.Span
		for _, pair := range c.unmet() {
			c.Problem(syntax.Span{}, `add: require "`+pair[1]+`";`, "the extension '%s' needs the extension '%s'",
				pair[0], pair[1])
		}
	}
	d := c.definition(s, "command")
	if d == nil {
		return nil
	}
	if s.Broken && s.Name == "require" {
		c.unread = true
		return nil
	}
	call := &Call{Command: s, Definition: d, Previous: previous, compiler: c, kind: "command"}
	ok := !s.Broken && call.check()
	if ok && s.HasBlock != d.Block {
		ok = false
		if d.Block {
			c.Problem(s.Span, "", "the %s command requires a block", s.Name)
		} else {
			c.Problem(s.Span, "", "the %s command takes no block", s.Name)
		}
	}
	if d.Before != nil {
		end := d.Before(c, call)
		ok = c.body(call, ok)
		end()
	} else {
		ok = c.body(call, ok)
	}
	if !ok {
		return nil
	}
	step := d.Command(c, call)
	if step == nil {
		return nil
	}
	span := s.Span
	return func(r *Run) {
		r.at = span
		if r.spend(1) {
			step(r)
		}
	}
}

// body compiles what is in a command: its tests and its block.
func (c *Compiler) body(call *Call, ok bool) bool {
	d, s := call.Definition, call.Command
	if !s.Broken {
		ok = c.tests(call) && ok
	}
	if d.Block && !(ok && call.known() == Never) {
		call.Block = c.block(s.Block)
	}
	return ok
}

// tests compiles the tests of a command or test.
func (c *Compiler) tests(call *Call) bool {
	if call.Definition.Tests == NoTests {
		return true
	}
	ok := true
	for _, s := range call.Command.Tests {
		test, known := c.test(s)
		ok = ok && test != nil
		call.Tests = append(call.Tests, test)
		call.Known = append(call.Known, known)
		if ok && known != Unknown && known == call.Definition.Ends {
			break
		}
	}
	return ok
}

// test compiles one, and returns what is known of its result. It returns nil where it noted a problem.
func (c *Compiler) test(s *syntax.Command) (Test, Known) {
	d := c.definition(s, "test")
	if d == nil {
		return nil, Unknown
	}
	call := &Call{Command: s, Definition: d, compiler: c, kind: "test"}
	ok := call.check()
	if ok = c.tests(call) && ok; !ok {
		return nil, Unknown
	}
	test := d.Test(c, call)
	if test == nil {
		return nil, Unknown
	}
	span := s.Span
	return func(r *Run) bool {
		r.at = span
		if !r.spend(1) {
			return false
		}
		if r.in.Trace != nil {
			return r.traceTest(call, test)
		}
		return test(r)
	}, call.Result
}

// definition finds what a name stands for, as a command or as a test.
func (c *Compiler) definition(s *syntax.Command, kind string) *Definition {
	d := c.definitions[s.Name]
	switch {
	case d == nil && (c.unknown[s.Name] || c.unread && c.offered(s.Name) != ""):
	case d == nil:
		c.unknown[s.Name] = true
		c.Problem(s.NameSpan(), c.hint(s.Name, kind), "unknown %s '%s' (said of its first place only)", kind, s.Name)
	case kind == "command" && d.Command == nil:
		c.Problem(s.NameSpan(), "tests stand after if, elsif, not, allof and anyof",
			"attempted to use test '%s' as a command", s.Name)
		return nil
	case kind == "test" && d.Test == nil:
		c.Problem(s.NameSpan(), "", "attempted to use command '%s' as a test", s.Name)
		return nil
	}
	return d
}
