package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// debug: debug_log writes into the trace and the log of the script's owner (Pigeonhole's vnd.dovecot.debug).
func debug() *Extension {
	return &Extension{
		Name: "vnd.dovecot.debug", Standard: "Pigeonhole", Off: true,
		Definitions: []*Definition{{
			Name:   "debug_log",
			Params: []Param{{"message", syntax.String}},
			Command: func(c *Compiler, call *Call) Step {
				text := c.Text(call.Args[0])
				return func(r *Run) {
					r.traceAction("debug_log", text.Get(r))
					r.warn("DEBUG: " + shorten(text.Get(r)))
				}
			},
		}},
	}
}
