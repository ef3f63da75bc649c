package sieve

// What extensions of other packages may do to a run: those of the test suite.

// Input returns what the run is about. After a change of the message, Begin has to follow.
func (r *Run) Input() *Input { return r.in }

// Begin forgets what the script did so far with the message, and looks at the message of the input from now on.
func (r *Run) Begin() {
	r.header, r.flags, r.result = r.in.Message.Header, r.in.Flags, r.in.fresh()
}

// Result returns what the script wants done so far, as if it ended here.
func (r *Run) Result() Result {
	saved := r.result
	saved.Actions = append([]Action(nil), saved.Actions...)
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
