package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// special-use: folders by what they are for, such as \Junk (RFC 8579).
func specialUse() *Extension {
	use := []Tag{{Name: "specialuse", Kind: syntax.String}}
	return &Extension{
		Name: "special-use", Standard: "RFC 8579", Off: true,
		Definitions: []*Definition{{
			Name:     "specialuse_exists",
			Params:   []Param{{"mailbox", syntax.String}, {"special-use flags", syntax.List}},
			Optional: 1,
			Test:     specialuseExistsTest,
		}},
		Tags: map[string][]Tag{"fileinto": use, "vacation": use, "notify": use},
	}
}

// isSpecialUse reports whether a name is that of a special use: a backslash and an atom (RFC 6154 §2).
func isSpecialUse(flag string) bool {
	atom, ok := strings.CutPrefix(flag, `\`)
	return ok && atom != "" && isAtom(atom)
}

// specialUse compiles the tag of fileinto: the folder of the use takes the place of the one that is named, which is
// for the use if it is made.
func (c *Compiler) specialUse(call *Call) (func(r *Run, s *Store), bool) {
	a := call.Tag("specialuse")
	if a == nil {
		return func(*Run, *Store) {}, true
	}
	flag := c.Text(a)
	if flag.IsConstant() && !isSpecialUse(flag.constant) {
		c.Problem(a.Span, `such as "\\Junk"`, "'%s' is no special use", flag.constant)
		return nil, false
	}
	c.Need(NeedsMailbox)
	return func(r *Run, s *Store) {
		use := flag.Get(r)
		if used, ok := r.in.Host.SpecialUse(r.ctx, use); ok {
			s.Folder = used
		} else if s.SpecialUse = use; !isSpecialUse(use) {
			r.Fail("'%s' is no special use", use)
		}
	}, true
}

func specialuseExistsTest(c *Compiler, call *Call) Test {
	flags := c.List(call.Args[1])
	for i, a := range elements(call.Args[1]) {
		if flags[i].IsConstant() && !isSpecialUse(flags[i].constant) {
			c.Problem(a.Span, `such as "\\Junk"`, "'%s' is no special use", flags[i].constant)
			return nil
		}
	}
	var mailbox Text
	named := call.Args[0] != nil
	if named {
		mailbox = c.Text(call.Args[0])
	}
	c.Need(NeedsMailbox)
	return func(r *Run) bool {
		for _, f := range flags {
			folder, ok := r.in.Host.SpecialUse(r.ctx, f.Get(r))
			if !ok || named && folder != mailbox.Get(r) {
				return false
			}
		}
		return true
	}
}
