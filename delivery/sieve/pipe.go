package sieve

import (
	"io"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// A Pipe delivers the message to a program. Another exit code than 0 is a failure, after which the message is kept as
// after an error of the script.
type Pipe struct {
	Program string
	Args    []string
	// Try says that a failure is none of the script.
	Try bool
	// Copy says that the program does not take the place of the implicit keep.
	Copy bool
	// Header and Body are those of the message that it gets, where they are not as the message came.
	Header []*message.Field
	Body   *io.SectionReader
	Place
}

// Verb implements Action.
func (*Pipe) Verb() string { return "pipe" }

// Job is the program to be run for a message that came, with its envelope.
func (p *Pipe) Job(came *message.Message, e Envelope) Job {
	return Job{Command: "pipe", Program: p.Program, Args: p.Args, Input: came.Reader(p.Header, p.Body), Envelope: e}
}

// merge: a program gets the message once (spec-bosch-sieve-extprograms §5.1).
func (p *Pipe) merge(r *Run) bool {
	for _, other := range r.result.Actions {
		if o, ok := other.(*Pipe); ok && o.Program == p.Program {
			r.Fail("the script pipes to the program '%s' twice", p.Program)
			return true
		}
	}
	return false
}

// pipe hands messages to programs (Pigeonhole's vnd.dovecot.pipe).
func pipe() *Extension {
	return &Extension{
		Name: "vnd.dovecot.pipe", Standard: "Pigeonhole", Off: true,
		Definitions: []*Definition{{
			Name: "pipe", Params: programParams, Optional: 1, Trailing: true, Tags: []Tag{{Name: "try"}},
			Command: pipeCommand,
		}},
	}
}

func pipeCommand(c *Compiler, call *Call) Step {
	p := c.invocation(call)
	if p == nil {
		return nil
	}
	isCopy, try := call.Has("copy"), call.Has("try")
	return func(r *Run) {
		j, ok := p.job(r)
		if !ok {
			return
		}
		switch {
		case isCopy:
		case try:
			r.result.tried = true
		default:
			r.result.keep = false
		}
		r.traceAction("pipe", j.Program)
		a := &Pipe{Program: j.Program, Args: j.Args, Try: try, Copy: isCopy}
		a.Header, a.Body = r.edited(r.in)
		r.act(a)
	}
}
