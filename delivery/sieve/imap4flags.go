package sieve

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// imap4flags: flags of the message, in variables or in the internal one, which keep and fileinto set (RFC 5232).
func imap4flags() *Extension {
	flagsTag := []Tag{{Name: "flags", Kind: syntax.List}}
	return &Extension{
		Name: "imap4flags", Standard: "RFC 5232",
		Definitions: []*Definition{
			flagCommand("setflag", func(_, flags []string) []string { return flags }),
			flagCommand("addflag", addFlags),
			flagCommand("removeflag", removeFlags),
			{
				Name:     "hasflag",
				Params:   []Param{{"variable list", syntax.List}, {"list of flags", syntax.List}},
				Optional: 1, Compares: true,
				Test: hasflagTest,
			},
		},
		Tags: map[string][]Tag{"keep": flagsTag, "fileinto": flagsTag, "vacation": flagsTag, "notify": flagsTag},
	}
}

// splitFlags takes lists of flags that spaces separate, each flag once; names have no case. What is no flag is left
// out.
func splitFlags(lists []string) (flags []string) {
	for _, list := range lists {
		for flag := range strings.FieldsSeq(list) {
			if isFlag(flag) && !hasFlag(flags, flag) {
				flags = append(flags, flag)
			}
		}
	}
	return flags
}

// isFlag reports whether a name is a flag of IMAP (RFC 3501 §9): a system flag, or an atom.
func isFlag(flag string) bool {
	if name, ok := strings.CutPrefix(flag, `\`); ok {
		return slices.Contains([]string{"answered", "flagged", "deleted", "seen", "draft"}, strings.ToLower(name))
	}
	return flag != "" && isAtom(flag)
}

// isAtom reports whether a text is an atom of IMAP (RFC 3501 §9).
func isAtom(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`(){%*"\]`, c)
	})
}

func hasFlag(flags []string, flag string) bool {
	return slices.ContainsFunc(flags, func(f string) bool { return strings.EqualFold(f, flag) })
}

func addFlags(have, flags []string) []string {
	have = slices.Clone(have)
	for _, f := range flags {
		if !hasFlag(have, f) {
			have = append(have, f)
		}
	}
	return have
}

func removeFlags(have, flags []string) []string {
	return slices.DeleteFunc(slices.Clone(have), func(f string) bool { return hasFlag(flags, f) })
}

// flagCommand is one that changes flags.
func flagCommand(name string, change func(have, flags []string) []string) *Definition {
	return &Definition{
		Name:     name,
		Params:   []Param{{"variable name", syntax.String}, {"list of flags", syntax.List}},
		Optional: 1,
		Command: func(c *Compiler, call *Call) Step {
			list := c.List(call.Args[1])
			c.warnFlags(call.Args[1], list)
			flags := func(r *Run) []string { return splitFlags(list.Get(r)) }
			if constants, ok := list.Constants(); ok {
				split := splitFlags(constants)
				flags = func(*Run) []string { return split }
			}
			if call.Args[0] == nil {
				return func(r *Run) {
					if !r.spend(costFlag * len(r.flags)) {
						return
					}
					r.flags = change(r.flags, flags(r))
					r.traceAction(name, strings.Join(r.flags, " "))
				}
			}
			get, set := c.flagVariable(call, call.Args[0])
			if set == nil {
				return nil
			}
			return func(r *Run) {
				set(r, strings.Join(change(splitFlags([]string{get(r)}), flags(r)), " "))
			}
		},
	}
}

// warnFlags warns of constants that are no flags.
func (c *Compiler) warnFlags(a *syntax.Argument, list List) {
	for i, e := range elements(a) {
		for flag := range strings.FieldsSeq(e.Text) {
			if list[i].IsConstant() && !isFlag(flag) {
				c.problems.Warn(e.Span, "it is ignored", "'%s' is no flag of IMAP", flag)
				return
			}
		}
	}
}

// flagVariable returns how a variable of flags is read and set.
func (c *Compiler) flagVariable(call *Call, a *syntax.Argument) (func(*Run) string, func(*Run, string)) {
	if !c.active["variables"] {
		c.Problem(a.Span, `add: require "variables";`, "%s has a variable, which needs the extension variables", call.name())
		return nil, nil
	}
	set := c.setter(a)
	if set == nil {
		return nil, nil
	}
	return c.variable(a.Span, strings.ToLower(a.Text)), set
}

// hasflag compares flags (RFC 5232 §4).
func hasflagTest(c *Compiler, call *Call) Test {
	var variables []func(*Run) string
	if call.Args[0] != nil {
		for _, a := range elements(call.Args[0]) {
			get, _ := c.flagVariable(call, &a)
			if get == nil {
				return nil
			}
			variables = append(variables, get)
		}
	}
	m := c.Matcher(call, call.Args[1])
	if m == nil {
		return nil
	}
	if !m.match.counts {
		m.splitKeys()
	}
	return func(r *Run) bool {
		flags := r.flags
		if variables != nil {
			flags = nil
			for _, get := range variables {
				flags = append(flags, splitFlags([]string{get(r)})...)
			}
		}
		search := m.Search()
		for _, f := range flags {
			if search.Try(r, f) {
				return true
			}
		}
		return search.End(r)
	}
}
