package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// imapflags is what was there before imap4flags (draft-melnikov-sieve-imapflags-03). Old scripts have it.
func imapflags() *Extension {
	marked := func(*Compiler, *Call) func(*Run) []string {
		return func(*Run) []string { return []string{`\Flagged`} }
	}
	listed := func(c *Compiler, call *Call) func(*Run) []string {
		list := c.List(call.Args[0])
		c.warnFlags(call.Args[0], list)
		return func(r *Run) []string { return splitFlags(list.Get(r)) }
	}
	set := func(_, flags []string) []string { return flags }
	flags := []Param{{"list of flags", syntax.List}}
	return &Extension{
		Name: "imapflags", Standard: "draft-melnikov-sieve-imapflags-03", Off: true, Excludes: []string{"imap4flags"},
		Definitions: []*Definition{
			oldFlags("setflag", flags, listed, set),
			oldFlags("addflag", flags, listed, addFlags),
			oldFlags("removeflag", flags, listed, removeFlags),
			oldFlags("mark", nil, marked, addFlags),
			oldFlags("unmark", nil, marked, removeFlags),
		},
	}
}

// oldFlags is a command that changes the flags that keep and fileinto set.
func oldFlags(name string, params []Param, of func(*Compiler, *Call) func(*Run) []string,
	change func(have, flags []string) []string) *Definition {
	return &Definition{
		Name: name, Params: params,
		Command: func(c *Compiler, call *Call) Step {
			flags := of(c, call)
			return func(r *Run) {
				r.flags = change(r.flags, flags(r))
				r.traceAction(name, strings.Join(r.flags, " "))
			}
		},
	}
}
