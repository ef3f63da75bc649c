package syntax

import "strings"

// Limits of nesting and arguments, as Pigeonhole has them; RFC 5228 §2.10.5 and §2.10.6 ask for 15 levels at least.
const (
	MaxNesting   = 32
	MaxArguments = 32
)

// Parse reads a script. What it returns may be run only if problems has no error: after one it goes on where the
// structure that was broken seems to end, to find the others.
func Parse(source *Source, problems *Problems) *Script {
	problems.Source = source
	s := parseScript(source, problems)
	for i := range problems.List {
		problems.List[i].Syntax = true
	}
	return s
}

func parseScript(source *Source, problems *Problems) *Script {
	s := &Script{Source: source}
	if len(source.Text) > MaxText {
		problems.Add(Span{}, "", "the script has %d octets, more than %d", len(source.Text), MaxText)
		return s
	}
	p := &parser{lexer{problems: problems, text: strings.TrimPrefix(source.Text, "\ufeff")}}
	if len(p.text) < len(source.Text) {
		p.text, p.at = source.Text, len("\ufeff")
	}
	p.next()
	var found bool
	if s.Commands, found = p.commands(1); found && !problems.Failed() && p.token.kind != end {
		p.unexpected("a command")
	}
	return s
}

// A parser reads by recursive descent. Its methods report whether the current token is one after which the caller can
// go on: if not, the caller recovers.
type parser struct{ lexer }

// unexpected notes that the current token is not what was expected, unless it was noted before.
func (p *parser) unexpected(expected string) {
	if p.token.kind == broken {
		return
	}
	hint := ""
	if p.token.kind == end {
		hint = "look for a missing ; or } above"
	}
	p.problems.Add(p.token.Span, hint, "expected %s, but found %s", expected, p.token)
}

// commands = *command
func (p *parser) commands(depth int) (list []*Command, ok bool) {
	for p.token.kind == identifier && !p.problems.Full() {
		c, ok := p.command(depth)
		list = append(list, c)
		if !ok {
			return list, false
		}
	}
	return list, true
}

// command = identifier arguments (";" / block)
func (p *parser) command(depth int) (*Command, bool) {
	c := p.named()
	ok := p.arguments(c, 1)
	if ok && p.token.kind != semicolon && p.token.kind != leftCurly {
		p.unexpected("';' or '{' after '" + c.Name + "'")
		ok = false
	}
	c.Broken = !ok
	if !ok && !p.recover(semicolon) {
		return c, false
	}
	if p.token.kind == semicolon {
		p.next()
		return c, true
	}
	return c, p.block(c, depth+1)
}

// block = "{" commands "}"
func (p *parser) block(c *Command, depth int) bool {
	p.next()
	c.HasBlock = true
	var ok bool
	if depth > MaxNesting {
		p.problems.Add(p.token.Span, "", "blocks are nested deeper than %d levels", MaxNesting)
	} else if c.Block, ok = p.commands(depth); ok && p.token.kind != rightCurly {
		p.unexpected("'}' at the end of the block of '" + c.Name + "'")
		ok = false
	}
	if !ok && !p.recover(rightCurly) {
		return false
	}
	p.next()
	return true
}

// named begins a command or test at its name.
func (p *parser) named() *Command {
	c := &Command{Span: p.token.Span, Name: strings.ToLower(p.token.text)}
	p.next()
	return c
}

// arguments = *argument [test / test-list]
func (p *parser) arguments(c *Command, depth int) bool {
	for {
		var a Argument
		switch a.Span = p.token.Span; p.token.kind {
		case text:
			a.Kind, a.Text = String, p.token.text
			p.next()
		case number:
			a.Kind, a.Number = Number, p.token.number
			p.next()
		case tag:
			a.Kind, a.Text = Tag, strings.ToLower(p.token.text)
			p.next()
		case leftSquare:
			if !p.list(&a) {
				return false
			}
		case identifier, leftRound:
			return p.tests(c, depth+1)
		default:
			return true
		}
		if len(c.Arguments) == MaxArguments {
			p.problems.Add(a.Span, "", "'%s' has more than %d arguments", c.Name, MaxArguments)
			return false
		}
		c.Arguments = append(c.Arguments, a)
		c.Span.End = a.Span.End
	}
}

// string-list = "[" string *("," string) "]"
func (p *parser) list(a *Argument) bool {
	a.Kind = List
	ok := true
	for more := true; more && ok; more = p.token.kind == comma {
		p.next()
		if p.token.kind != text {
			p.unexpected("a string in the list")
			ok = p.recover(rightSquare)
			break
		}
		a.List = append(a.List, Argument{Span: p.token.Span, Kind: String, Text: p.token.text})
		p.next()
	}
	if p.token.kind != rightSquare {
		if ok {
			p.unexpected("',' or ']' in the list")
		}
		if !p.recover(rightSquare) {
			return false
		}
	}
	a.Span.End = p.token.End
	p.next()
	return ok
}

// tests takes a test, or a list of them: test-list = "(" test *("," test) ")"
func (p *parser) tests(c *Command, depth int) bool {
	if depth > MaxNesting+1 {
		p.problems.Add(p.token.Span, "", "tests are nested deeper than %d levels", MaxNesting)
		return false
	}
	if p.token.kind == identifier {
		t := p.named()
		c.Tests = append(c.Tests, t)
		return p.arguments(t, depth)
	}
	c.IsList = true
	ok := true
	for more := true; more && ok; more = p.token.kind == comma {
		p.next()
		if p.token.kind != identifier {
			p.unexpected("a test in the list")
			ok = false
			break
		}
		t := p.named()
		c.Tests = append(c.Tests, t)
		ok = p.arguments(t, depth)
	}
	if ok && p.token.kind != rightRound {
		p.unexpected("',' or ')' in the list of tests")
		ok = false
	}
	if !ok && !p.recover(rightRound) {
		return false
	}
	p.next()
	return true
}

// rank orders what encloses what: a list of strings stands in tests, these in a command, this in a block.
func rank(k kind) int {
	switch k {
	case leftSquare, rightSquare:
		return 1
	case leftRound, rightRound:
		return 2
	case semicolon:
		return 3
	case leftCurly, rightCurly:
		return 4
	}
	return 0
}

var opening = map[kind]kind{rightSquare: leftSquare, rightRound: leftRound, rightCurly: leftCurly}

// recover passes over what is left of a broken structure, up to the token that ends it, and reports whether that is
// there before what encloses it ends. A command may end at the start of its block.
func (p *parser) recover(closing kind) bool {
	for nesting := 1; p.token.kind != end && rank(p.token.kind) <= rank(closing); p.next() {
		switch p.token.kind {
		case closing:
			if nesting--; nesting == 0 {
				return true
			}
		case opening[closing]:
			if opening[closing] != end {
				nesting++
			}
		}
	}
	return closing == semicolon && p.token.kind == leftCurly
}
