package sieve

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// Limits of names and arguments (Pigeonhole's spec-bosch-sieve-extprograms §3, §4).
const (
	maxProgramName = 128 // characters
	maxArguments   = 32
	maxArgument    = 1024 // octets
)

// programParams are the arguments of pipe, filter and execute.
var programParams = []Param{{"program name", syntax.String}, {"arguments", syntax.List}}

// An invocation is a program as a command of a script names it.
type invocation struct {
	command, program string
	args             List
}

// invocation compiles the name and the arguments of a program. It returns nil where it noted a problem.
func (c *Compiler) invocation(call *Call) *invocation {
	name := c.Text(call.Args[0])
	switch {
	case !name.IsConstant():
		c.Problem(call.Args[0].Span, "", "%s takes no variables in the name of its program", call.name())
		return nil
	case !isProgram(name.constant):
		c.Problem(call.Args[0].Span, "it has no slash, no controls, and 128 characters at most",
			"'%s' is no name of a program", shorten(name.constant))
		return nil
	}
	p := &invocation{command: call.Command.Name, program: name.constant}
	if a := call.Args[1]; a != nil {
		p.args = c.List(a)
		for i, e := range elements(a) {
			if problem := checkArgument(i, p.args[i].constant); problem != "" {
				c.Problem(e.Span, "", "%s", problem)
				return nil
			}
		}
	}
	c.Need(NeedsBody | NeedsPrograms)
	return p
}

// isProgram reports whether a name can be that of a program. It is looked for in one directory, and names neither this
// nor the one above.
func isProgram(name string) bool {
	return name != "" && name != "." && name != ".." && utf8.ValidString(name) &&
		utf8.RuneCountInString(name) <= maxProgramName &&
		!strings.ContainsFunc(name, func(c rune) bool {
			return c == '/' || unicode.IsControl(c) || c == '\u2028' || c == '\u2029'
		})
}

// checkArgument says what is wrong with the i-th argument of a program.
func checkArgument(i int, arg string) (problem string) {
	switch {
	case i == maxArguments:
		return fmt.Sprintf("a program has more than %d arguments", maxArguments)
	case len(arg) > maxArgument:
		return fmt.Sprintf("argument %d of a program is longer than %d octets", i+1, maxArgument)
	case strings.ContainsFunc(arg, func(c rune) bool { return unicode.IsControl(c) && c != '\t' }):
		return fmt.Sprintf("argument %d of a program has controls, such as line ends", i+1)
	}
	return ""
}

// job is the program as it is to be run now; ok is false after an error of the script.
func (p *invocation) job(r *Run) (j Job, ok bool) {
	j = Job{Command: p.command, Program: p.program, Args: p.args.Get(r), Envelope: r.in.Envelope}
	for i, arg := range j.Args {
		if problem := checkArgument(i, arg); problem != "" {
			r.Fail("%s", problem)
		}
	}
	return j, r.err == nil
}

// runProgram runs a program in the midst of the script. ok reports whether it ended with 0. That it cannot be run is an
// error of the script, unless the script asks for that in a test.
func (r *Run) runProgram(j Job, isTest bool) (a Answer, ok bool) {
	if r.programs++; r.programs > r.limits.Programs {
		r.Fail("number of programs exceeds policy limit: more than %d", r.limits.Programs)
		return a, false
	}
	err := error(&Hinted{errors.New("there are none here"), "the administrator names their directory"})
	if r.in.Programs != nil {
		a, err = r.in.Programs.Run(r.ctx, j)
	}
	if err != nil {
		r.programFailed(j, err, isTest)
		return a, false
	}
	detail := fmt.Sprintf("%s: exit code %d", j.Program, a.Code)
	if a.Said != "" {
		detail += fmt.Sprintf(", saying %q", a.Said)
	}
	r.traceAction(j.Command, detail)
	return a, a.Code == 0
}

// programFailed notes that a program cannot be run.
func (r *Run) programFailed(j Job, err error, isTest bool) {
	problem := r.errorAt(fmt.Sprintf("the program '%s' cannot be run: %v", j.Program, err))
	var hinted *Hinted
	if errors.As(err, &hinted) {
		problem.Hint = hinted.Hint
	}
	r.traceAction(j.Command, j.Program+": "+err.Error())
	if isTest {
		r.remark(problem)
	} else {
		r.fail(problem)
	}
}
