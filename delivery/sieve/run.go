package sieve

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// Limits bound a run. What exceeds one is an error at its place in the script, after which the message is kept. Zero
// is the default of each; less is none at all.
type Limits struct {
	Steps         int64 // octets compared, and commands and tests, of all scripts for a message
	Actions       int
	Redirects     int
	Notifications int
	Variables     int
	VariableSize  int // octets of a value; what is longer is cut
	FieldSize     int // octets of a field that is added
	Includes      int
	IncludeDepth  int
	Programs      int   // that filter and execute run
	MessageSize   int64 // octets of a message that filter makes
}

// DefaultLimits are those where none are set.
var DefaultLimits = Limits{
	Steps: 50_000_000, Actions: 32, Redirects: 4, Notifications: 4, Variables: 256, VariableSize: 4000, FieldSize: 2048,
	Includes: 64, IncludeDepth: 10, Programs: 10, MessageSize: 50 << 20,
}

// orDefaults returns the limits with defaults for those that are zero.
func (l Limits) orDefaults() Limits {
	d := DefaultLimits
	for _, f := range []struct{ is, otherwise *int }{
		{&l.Actions, &d.Actions}, {&l.Redirects, &d.Redirects}, {&l.Notifications, &d.Notifications},
		{&l.Variables, &d.Variables},
		{&l.VariableSize, &d.VariableSize}, {&l.FieldSize, &d.FieldSize}, {&l.Includes, &d.Includes},
		{&l.IncludeDepth, &d.IncludeDepth}, {&l.Programs, &d.Programs},
	} {
		if *f.is == 0 {
			*f.is = *f.otherwise
		}
	}
	if l.Steps == 0 {
		l.Steps = d.Steps
	}
	if l.MessageSize == 0 {
		l.MessageSize = d.MessageSize
	}
	return l
}

// An Envelope is how the message came. Addresses have no angle brackets; From may be empty.
type Envelope struct {
	From, To string
	OrigTo   string // the recipient before it was rewritten, if that is known
	Auth     string
	// Notify, Ret, EnvID and ORCPT are NOTIFY, RET, ENVID and ORCPT of the delivery (RFC 3461 §4), decoded; those
	// that were not given are empty.
	Notify, Ret, EnvID, ORCPT string
}

// A Host answers what a script asks of its surroundings. It changes nothing.
type Host interface {
	// HasFolder reports whether a folder exists and takes mail.
	HasFolder(ctx context.Context, name string) bool
	// SpecialUse returns the folder of a special use, such as \Junk (RFC 8579).
	SpecialUse(ctx context.Context, flag string) (folder string, ok bool)
	// Seen reports whether a message with an identifier was marked (RFC 7352).
	Seen(ctx context.Context, handle, id string) bool
	// Environment returns an item (RFC 5183 §4).
	Environment(item string) (value string, ok bool)
}

// An Input is what a run is about.
type Input struct {
	Message  *message.Message
	Envelope Envelope
	// Flags are those that the message has; the internal variable of imap4flags begins with them.
	Flags []string
	Host  Host
	Now   time.Time
	// Delimiters separate the user from the detail of an address. [+]
	Delimiters string
	// Spam and Virus say where filters write what they think of a message, for spamtest and virustest. [nowhere]
	Spam, Virus *Verdict
	// Prior is what the scripts before this one decided. [nothing]
	Prior *Result
	// Limits bound the run. [those of the program]
	Limits *Limits
	// Lists are those outside of the script (RFC 6134). [none]
	Lists Lists
	// Programs runs those that filter and execute name. [there are none]
	Programs Runner
	// Trace gets what happens. [none]
	Trace func(Event)
}

// A Verdict is how a filter for spam or viruses says in the header what it thinks of a message.
type Verdict struct {
	// Field has the verdict: all of its value, or what the first group of Pattern matches in it. [no verdict]
	Field   string
	Pattern *regexp.Regexp
	// Length says that the verdict is as many characters as the value has, such as "*****".
	Length bool
	// Texts are words for verdicts, from the first to the last value that there is; empty ones are not used.
	Texts []string
	// Max is the score from which on a message is surely bad. [that of MaxField]
	Max float64
	// MaxField and MaxPattern say where the score is from which on a message is surely bad.
	MaxField   string
	MaxPattern *regexp.Regexp
}

// A Run is one of a program, for a message.
type Run struct {
	ctx     context.Context
	in      *Input
	program *Program // the script that is running: that of the run, or one that it includes
	limits  *Limits
	scope   *scope
	content
	flags  []string // of imap4flags
	result Result
	spent
	halt     halt
	taken    bool        // the last if, or one of its elsifs, was true
	at       syntax.Span // of the command or test that runs
	compared comparison  // the last one, for the trace
	shared   shared      // by the scripts that include one another
	loop     loop
	err      *Error
}

// spent is what a run took of its limits.
type spent struct {
	steps    int64
	programs int // that filter and execute ran
}

// halt says why no further command runs.
type halt int

const (
	running  halt = iota
	returned      // from an included script
	broke         // out of a loop
	stopped
	failed
)

// shared is what scripts that include one another have in common.
type shared struct {
	globals map[string]string
	begun   map[*Program]bool // which were included
	texts   texts             // of the body
}

// loop is where in the parts of the message a run is.
type loop struct {
	part   *message.Part // nil outside of loops
	leaves int           // how many loops a break leaves
	depth  int
}

// An Error is one of a script at run time, at its place.
type Error struct {
	Script string `json:"script"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"` // what can be done about it
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d:%d: %s", e.Script, e.Line, e.Column, e.Text)
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Run runs the program. An error of the script is part of the result.
func (p *Program) Run(ctx context.Context, in *Input) Result {
	r := &Run{ctx: ctx, in: in, program: p, limits: &p.options.Limits, scope: &scope{}, flags: in.Flags}
	if in.Limits != nil {
		r.Limit(*in.Limits)
	}
	r.result, r.content = in.fresh(), in.begin(p.needs&NeedsRewriting != 0)
	if in.Prior != nil {
		r.steps, r.programs = in.Prior.Steps, in.Prior.programs // which are those of the recipient
		if in.Prior.Err == nil {
			r.flags = in.Prior.flags
		}
	}
	p.main(r)
	return r.end()
}

// Unreadable is the result for a message that cannot be looked at: an error at the first command of the script, and the
// message is kept.
func (p *Program) Unreadable(in *Input, err error) Result {
	r := &Run{in: in, program: p, at: p.first}
	r.Fail("the message cannot be looked at: %v", err)
	return in.failed(r.err, 0)
}

// Fail ends the run with an error at the command or test that runs.
func (r *Run) Fail(format string, args ...any) {
	if r.err == nil {
		r.fail(r.errorAt(fmt.Sprintf(format, args...)))
	}
}

// fail ends the run with an error, unless there is one.
func (r *Run) fail(e *Error) {
	if r.err == nil {
		r.halt, r.err = failed, e
	}
}

// warn notes what the owner of the script should know, and goes on.
func (r *Run) warn(text string) { r.remark(r.errorAt(text)) }

// remark notes a warning.
func (r *Run) remark(e *Error) {
	if len(r.result.Warnings) < maxWarnings {
		r.result.Warnings = append(r.result.Warnings, e)
	}
}

const maxWarnings = 20

// warnOnce notes a text that was not noted yet.
func (r *Run) warnOnce(text string) {
	if !slices.ContainsFunc(r.result.Warnings, func(e *Error) bool { return e.Text == text }) {
		r.warn(text)
	}
}

// errorAt is an error at the command or test that runs.
func (r *Run) errorAt(text string) *Error {
	e := &Error{Script: r.program.Name, Text: text}
	source := syntax.Source{Text: r.program.source.Text} // programs are shared: positions are not remembered in them
	e.Line, e.Column = source.Position(r.at.Start)
	return e
}

// spend takes from the budget, and reports whether it suffices.
func (r *Run) spend(octets int) bool {
	r.steps += int64(octets)
	if r.steps > r.limits.Steps {
		r.steps = r.limits.Steps + 1 // what does not fit is not done
		r.Fail("the script takes too long: it compared more than %d octets", r.limits.Steps)
		return false
	}
	return r.err == nil
}

func decimal(n int) string { return strconv.Itoa(n) }

// fresh is the result of a script that did nothing yet: what those before it decided. The keep of theirs is that of
// this one now.
func (in *Input) fresh() Result {
	result := Result{keep: true}
	if in.Prior == nil {
		return result
	}
	for _, a := range in.Prior.Actions {
		s, ok := a.(*Store)
		if ok && s.Keep {
			continue
		}
		if ok { // this script may change it
			own := *s
			a = &own
		}
		result.Actions = append(result.Actions, a)
	}
	result.prior, result.Marks = len(result.Actions), slices.Clone(in.Prior.Marks)
	return result
}

// failed is the result of a script that had an error: what those before it decided, and that the message is kept.
func (in *Input) failed(err *Error, steps int64) Result {
	result := in.fresh()
	result.Err, result.Steps = err, steps
	if !slices.ContainsFunc(result.Actions, isInbox) {
		result.Actions = append(result.Actions, &Store{Keep: true, Implicit: true})
	}
	return result
}
