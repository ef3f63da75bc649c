package sieve

import (
	"io"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// execute runs a program, whose output may become the value of a variable (Pigeonhole's vnd.dovecot.execute).
func execute() *Extension {
	return &Extension{
		Name: "vnd.dovecot.execute", Standard: "Pigeonhole", Off: true,
		Definitions: []*Definition{{
			Name: "execute", Params: programParams, Optional: 1, Trailing: true,
			Tags: []Tag{
				{Name: "input", Group: "input", Kind: syntax.String}, {Name: "pipe", Group: "input"},
				{Name: "output", Kind: syntax.String},
			},
			Command: func(c *Compiler, call *Call) Step {
				execute := executeTest(c, call, false)
				if execute == nil {
					return nil
				}
				return func(r *Run) { execute(r) }
			},
			Test: func(c *Compiler, call *Call) Test { return executeTest(c, call, true) },
		}},
	}
}

// maxExecuted is how many octets a program may write for a variable, which keeps the beginning.
const maxExecuted = 1 << 20

// executeTest is true if the program ended with 0. Else the variable stays as it is.
func executeTest(c *Compiler, call *Call, isTest bool) Test {
	set, ok := c.output(call)
	p := c.invocation(call)
	if p == nil || !ok {
		return nil
	}
	input := func(*Run) io.Reader { return nil }
	if a := call.Tag("input"); a != nil {
		text := c.Text(a)
		input = func(r *Run) io.Reader { return strings.NewReader(text.Get(r)) }
	} else if call.Has("pipe") {
		input = func(r *Run) io.Reader { return r.reader() }
	}
	return func(r *Run) bool {
		j, ok := p.job(r)
		if !ok {
			return false
		}
		j.Input = input(r)
		if set != nil {
			j.MaxOutput = maxExecuted
		}
		a, ok := r.runProgram(j, isTest)
		if !ok || set == nil {
			return ok
		}
		value := make([]byte, min(a.Size, int64(r.limits.VariableSize)+1)) // one more shows where a character ends
		if _, err := a.Output.ReadAt(value, 0); err != nil && err != io.EOF {
			r.programFailed(j, err, isTest)
			return false
		}
		set(r, strings.ToValidUTF8(string(value), "\uFFFD"))
		return true
	}
}

// output compiles the tag that names a variable; ok is false where it noted a problem.
func (c *Compiler) output(call *Call) (set func(r *Run, value string), ok bool) {
	a := call.Tag("output")
	switch {
	case a == nil:
		return nil, true
	case !c.active["variables"]:
		c.Problem(*call.TagSpan("output"), `add: require "variables";`, "the :output tag needs the extension variables")
		return nil, false
	}
	set = c.setter(a)
	return set, set != nil
}
