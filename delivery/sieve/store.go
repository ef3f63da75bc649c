package sieve

// store compiles what keep and fileinto have in common: the flags (RFC 5232 §5) and the header as it is edited.
func (c *Compiler) store(call *Call) func(r *Run) *Store {
	var flags List
	own := call.Has("flags")
	if own {
		flags = c.List(call.Tag("flags"))
	}
	return func(r *Run) *Store {
		s := &Store{Flags: r.flags}
		s.Header, s.Body = r.edited(r.in)
		if own {
			s.Flags = splitFlags(flags.Get(r))
		}
		return s
	}
}
