package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// filter replaces the message by what a program makes of it (Pigeonhole's vnd.dovecot.filter).
func filter() *Extension {
	return &Extension{
		Name: "vnd.dovecot.filter", Standard: "Pigeonhole", Off: true,
		Definitions: []*Definition{{
			Name: "filter", Params: programParams, Optional: 1, Trailing: true,
			Command: func(c *Compiler, call *Call) Step {
				filter := filterTest(c, call, false)
				if filter == nil {
					return nil
				}
				return func(r *Run) { filter(r) }
			},
			Test: func(c *Compiler, call *Call) Test { return filterTest(c, call, true) },
		}},
	}
}

// filterTest is true if the message was replaced. A program that ends with another exit code than 0 does not want to.
func filterTest(c *Compiler, call *Call, isTest bool) Test {
	p := c.invocation(call)
	if p == nil {
		return nil
	}
	return func(r *Run) bool {
		j, ok := p.job(r)
		if !ok {
			return false
		}
		j.Input, j.MaxOutput = r.reader(), r.limits.MessageSize
		a, ok := r.runProgram(j, isTest)
		if !ok {
			return false
		}
		if a.Size == 0 { // the message stays, and the script goes on (spec-bosch-sieve-extprograms §6)
			r.warn("the program '" + j.Program + "' wrote no message")
			return false
		}
		if err := r.replace(a); err != nil {
			r.programFailed(j, err, isTest)
			return false
		}
		return true
	}
}

// replace makes what a program wrote the message from now on. Actions before this are about the message before, and a
// loop over its parts goes on over those.
func (r *Run) replace(a Answer) error {
	m, err := message.Read(a.Output, a.Size)
	if err != nil {
		return err
	}
	r.content = content{header: m.Header, message: m, rewritten: true}
	return nil
}
