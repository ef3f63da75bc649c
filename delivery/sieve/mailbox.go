package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// mailbox: mailboxexists, and fileinto :create (RFC 5490 §3).
func mailboxExtension() *Extension {
	create := []Tag{{Name: "create"}}
	return &Extension{
		Name: "mailbox", Standard: "RFC 5490 §3",
		Definitions: []*Definition{{
			Name:   "mailboxexists",
			Params: []Param{{"mailbox names", syntax.List}},
			Test:   mailboxexistsTest,
		}},
		Tags: map[string][]Tag{"fileinto": create, "vacation": create, "notify": create},
	}
}

func mailboxexistsTest(c *Compiler, call *Call) Test {
	names := c.List(call.Args[0])
	for i, a := range elements(call.Args[0]) {
		if names[i].IsConstant() && !isFolder(names[i].constant) {
			c.problems.Warn(a.Span, "it does not exist", "'%s' is no name of a mailbox", names[i].constant)
		}
	}
	c.Need(NeedsMailbox)
	return func(r *Run) bool {
		for _, n := range names {
			name := n.Get(r)
			if !isFolder(name) || !r.in.Host.HasFolder(r.ctx, name) {
				return false
			}
		}
		return true
	}
}
