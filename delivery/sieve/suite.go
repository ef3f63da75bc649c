package sieve

import "slices"

// What extensions of other packages may do to a run: those of the test suite.

// Input returns what the run is about. After a change of the message, Begin has to follow.
func (r *Run) Input() *Input { return r.in }

// Begin forgets what the script did so far with the message, and looks at the message of the input from now on.
func (r *Run) Begin() {
	r.programs = 0
	r.flags, r.result, r.content = r.in.Flags, r.in.fresh(), r.in.begin(r.program.needs&NeedsRewriting != 0)
}

// Limit sets other limits.
func (r *Run) Limit(l Limits) {
	l = l.orDefaults()
	r.limits = &l
}

// Result returns what the script wants done so far, as if it ended here.
func (r *Run) Result() Result {
	saved := r.result
	saved.Actions = slices.Clone(saved.Actions)
	result := r.end()
	r.result = saved
	return result
}

// Halt makes the commands that enclose the current one end.
func (r *Run) Halt() { r.halt = stopped }

// Resume goes on after Halt, or after an error, which it returns.
func (r *Run) Resume() *Error {
	err := r.err
	r.err, r.halt = nil, running
	return err
}
