package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Call is a command or test of a script, whose arguments were checked by its definition.
type Call struct {
	*syntax.Command
	Definition *Definition
	// Previous is the command before it, in the same block.
	Previous *syntax.Command
	// Args are the arguments without a tag, one for each of the definition's; nil where one was left out.
	Args []*syntax.Argument
	// Tests are its tests, and Known what is known of them.
	Tests []Test
	Known []Known
	// Block is its block.
	Block Step
	// Result is set by a test's definition where it is known.
	Result Known

	compiler *Compiler
	kind     string // "command" or "test"
	tags     []setTag
}

// A setTag is an optional argument that is there.
type setTag struct {
	Tag
	span  syntax.Span
	param *syntax.Argument
}

// known returns what is known of the test of an if.
func (c *Call) known() Known {
	if c.Definition.Tests == OneTest && len(c.Known) == 1 {
		return c.Known[0]
	}
	return Unknown
}

// Has reports whether a tag is there.
func (c *Call) Has(name string) bool { return c.TagSpan(name) != nil }

// TagSpan returns where a tag stands; nil if it is not there.
func (c *Call) TagSpan(name string) *syntax.Span {
	for i := range c.tags {
		if c.tags[i].Name == name {
			return &c.tags[i].span
		}
	}
	return nil
}

// Tag returns the parameter of a tag; nil if it is not there.
func (c *Call) Tag(name string) *syntax.Argument {
	for _, t := range c.tags {
		if t.Name == name {
			return t.param
		}
	}
	return nil
}

// Of returns the tag of a group; empty if none is there.
func (c *Call) Of(group string) string {
	for _, t := range c.tags {
		if t.Group == group {
			return t.Name
		}
	}
	return ""
}

// name names the call in a problem.
func (c *Call) name() string { return "the " + c.Command.Name + " " + c.kind }

// check resolves the arguments by the definition, and notes the first problem with them.
func (c *Call) check() bool {
	ok := c.arguments()
	if !ok {
		c.checkTests() // where a colon is missing, a tag has become a test
		return false
	}
	if !c.checkTests() {
		return false
	}
	for i, p := range c.Definition.Params {
		if a := c.Args[i]; a != nil && !fits(a.Kind, p.Kind) {
			c.compiler.Problem(a.Span, "", "%s expects %s as argument %d (%s), but %s was found",
				c.name(), p.Kind, i+1, p.Name, a.Kind)
			return false
		}
	}
	return true
}

// fits reports whether an argument may stand where a kind is expected: a string may stand for a list.
func fits(is, expected syntax.Kind) bool {
	return is == expected || is == syntax.String && expected == syntax.List
}

// arguments takes the tags with their parameters, and then what has none.
func (c *Call) arguments() bool {
	args := c.Command.Arguments
	at := 0
	for ; at < len(args) && args[at].Kind == syntax.Tag; at++ {
		tag, found := c.find(args[at].Text)
		if !found {
			c.unknownTag(&args[at])
			return false
		}
		set := setTag{Tag: tag, span: args[at].Span}
		if tag.Kind != 0 {
			if at+1 == len(args) || !fits(args[at+1].Kind, tag.Kind) {
				c.badParameter(&args[at], args[at+1:], tag.Kind)
				return false
			}
			at++
			set.param = &args[at]
		}
		if !c.checkOnce(set) {
			return false
		}
		c.tags = append(c.tags, set)
	}
	for i := at; i < len(args); i++ {
		if args[i].Kind == syntax.Tag {
			if _, found := c.find(args[i].Text); !found {
				c.unknownTag(&args[i])
			} else {
				c.compiler.Problem(args[i].Span, "tags stand before other arguments",
					"unexpected tag ':%s' among the arguments of %s", args[i].Text, c.name())
			}
			return false
		}
	}
	return c.positional(args[at:])
}

// positional takes the arguments that have no tag.
func (c *Call) positional(args []syntax.Argument) bool {
	params := c.Definition.Params
	left := len(params) - len(args) // how many are left out
	if left < 0 || left > c.Definition.Optional {
		c.compiler.Problem(c.Command.Span, "", "%s requires %d positional arguments, but %d are specified",
			c.name(), len(params), len(args))
		return false
	}
	c.Args = make([]*syntax.Argument, len(params))
	if c.Definition.Trailing {
		left = 0
	}
	for i := range args {
		c.Args[left+i] = &args[i]
	}
	return true
}

// find returns a tag that the command may have.
func (c *Call) find(name string) (Tag, bool) {
	for _, list := range [][]Tag{c.Definition.Tags, c.compiler.tags[c.Command.Name]} {
		for _, t := range list {
			if t.Name == name {
				return t, true
			}
		}
	}
	d := c.Definition
	if d.Compares || d.Addresses {
		if name == "comparator" {
			return Tag{Name: name, Group: name, Kind: syntax.String}, true
		}
		for _, m := range c.compiler.matches {
			if m.Name == name {
				return Tag{Name: name, Group: matchGroup, Kind: m.Kind}, true
			}
		}
	}
	if d.Modifies {
		for _, m := range c.compiler.modifiers {
			if m.Name == name {
				return Tag{Name: name, Group: "modifier of precedence " + decimal(m.precedence)}, true
			}
		}
	}
	if d.Addresses {
		for _, p := range c.compiler.parts {
			if p.Name == name {
				return Tag{Name: name, Group: partGroup}, true
			}
		}
	}
	return Tag{}, false
}

// Groups of tags that exclude one another.
const (
	matchGroup = "match type"
	partGroup  = "address part"
)

// unknownTag notes one that is not there, once for a command.
func (c *Call) unknownTag(a *syntax.Argument) {
	key := c.Command.Name + " :" + a.Text
	hint := c.tagHint(a.Text)
	if c.compiler.unknown[key] || c.compiler.unread && hint != "" {
		return
	}
	c.compiler.unknown[key] = true
	c.compiler.Problem(a.Span, hint, "unknown tagged argument ':%s' for %s (said of its first place only)",
		a.Text, c.name())
}

// tagHint says which capability has a tag.
func (c *Call) tagHint(name string) string {
	for _, e := range c.compiler.registry {
		has := false
		for _, t := range e.Tags[c.Command.Name] {
			has = has || t.Name == name
		}
		for _, m := range e.Matches {
			has = has || m.Name == name && c.Definition.Compares
		}
		for _, p := range e.Parts {
			has = has || p.Name == name && c.Definition.Addresses
		}
		if has && !c.compiler.active[e.Name] {
			return c.compiler.wanted(e.Name)
		}
	}
	return ""
}

func (c *Call) badParameter(tag *syntax.Argument, rest []syntax.Argument, expected syntax.Kind) {
	found := "nothing"
	if len(rest) > 0 {
		found = rest[0].Kind.String()
	}
	c.compiler.Problem(tag.Span, "", "the :%s tag of %s requires %s after it, but %s was found",
		tag.Text, c.name(), expected, found)
}

// checkOnce notes a tag that is there twice, or beside one that it excludes.
func (c *Call) checkOnce(set setTag) bool {
	for _, other := range c.tags {
		switch {
		case other.Name == set.Name:
			c.compiler.Problem(set.span, "", "encountered a duplicate :%s tag for %s", set.Name, c.name())
			return false
		case set.Group != "" && other.Group == set.Group:
			c.compiler.Problem(set.span, "one of them has to go", "encountered a duplicate %s for %s: :%s besides :%s",
				set.Group, c.name(), set.Name, other.Name)
			return false
		}
	}
	return true
}

// checkTests notes tests that are missing, or too many.
func (c *Call) checkTests() bool {
	tests := c.Command.Tests
	switch d := c.Definition; {
	case d.Tests == NoTests && len(tests) > 0:
		c.strayTest(tests[0])
	case d.Tests == OneTest && len(tests) == 0:
		c.compiler.Problem(c.Command.Span, "", "%s requires a test, but none is specified", c.name())
	case d.Tests == OneTest && c.Command.IsList:
		c.compiler.Problem(c.Command.Span, "put anyof or allof before the list",
			"%s requires one test, but a list of tests is specified", c.name())
	case d.Tests == TestList && len(tests) == 0:
		c.compiler.Problem(c.Command.Span, "", "%s requires a list of tests, but none is specified", c.name())
	case d.Tests == TestList && !c.Command.IsList:
		c.compiler.Problem(c.Command.Span, "put it in parentheses",
			"%s requires a list of tests, but a single test is specified", c.name())
	default:
		return true
	}
	return false
}

// strayTest explains a test where there should be none: it is often something else.
func (c *Call) strayTest(test *syntax.Command) {
	d := c.compiler.definitions[test.Name]
	_, isTag := c.find(test.Name)
	end := c.Command.Span.End // where something is missing; what follows may be lines away
	after := syntax.Span{Start: end, End: end}
	switch {
	case d != nil && d.Test != nil:
		c.compiler.Problem(after, "tests have a comma between them", "%s accepts no sub-tests, but tests are specified",
			c.name())
	case d == nil && isTag:
		c.compiler.Problem(test.NameSpan(), "", "missing colon ':' before ':%s' tag in %s", test.Name, c.name()[len("the "):])
	default:
		c.compiler.Problem(after, "", "missing semicolon ';' after %s", c.name()[len("the "):])
	}
}
