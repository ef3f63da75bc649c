package sieve

// keep (RFC 5228 §4.3).
func keepCommand() *Definition {
	return &Definition{
		Name: "keep",
		Command: func(c *Compiler, call *Call) Step {
			store := c.store(call)
			return func(r *Run) {
				s := store(r)
				s.Keep = true
				r.result.keep = false
				r.act(s)
			}
		},
	}
}

// discard cancels the implicit keep (RFC 5228 §4.4).
func discardCommand() *Definition {
	return &Definition{
		Name: "discard",
		Command: func(*Compiler, *Call) Step {
			return func(r *Run) {
				r.result.keep = false
				r.traceAction("discard", "")
			}
		},
	}
}
