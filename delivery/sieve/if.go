package sieve

// if, elsif and else (RFC 5228 §3.1). Each says in Run.taken whether one of the chain was true.
func ifCommand() *Definition {
	return &Definition{
		Name: "if", Tests: OneTest, Block: true,
		Command: func(_ *Compiler, call *Call) Step {
			test, block := call.Tests[0], call.Block
			if call.known() == Never {
				return func(r *Run) { r.taken = false }
			}
			return func(r *Run) {
				found := test(r)
				if found && r.err == nil {
					block(r)
				}
				r.taken = found
			}
		},
	}
}

func elsifCommand() *Definition {
	return &Definition{
		Name: "elsif", Tests: OneTest, Block: true,
		Command: func(c *Compiler, call *Call) Step {
			if !c.follows(call) {
				return nil
			}
			test, block := call.Tests[0], call.Block
			if call.known() == Never {
				return func(*Run) {}
			}
			return func(r *Run) {
				if r.taken || !test(r) || r.err != nil {
					return
				}
				block(r)
				r.taken = true
			}
		},
	}
}

func elseCommand() *Definition {
	return &Definition{
		Name: "else", Block: true,
		Command: func(c *Compiler, call *Call) Step {
			if !c.follows(call) {
				return nil
			}
			block := call.Block
			return func(r *Run) {
				if !r.taken {
					block(r)
				}
			}
		},
	}
}

// follows notes an elsif or else that follows neither if nor elsif. Where a semicolon is missing before an if, which is
// noted elsewhere, that is taken for a test of what stands before it.
func (c *Compiler) follows(call *Call) bool {
	p := call.Previous
	if p != nil && (p.Name == "if" || p.Name == "elsif") {
		return true
	}
	if p != nil && len(p.Tests) == 1 && p.Tests[0].Name == "if" {
		return false
	}
	c.Problem(call.NameSpan(), "", "the %s command follows neither if nor elsif", call.Command.Name)
	return false
}

// stop ends the script (RFC 5228 §3.3).
func stopCommand() *Definition {
	return &Definition{
		Name: "stop",
		Command: func(*Compiler, *Call) Step {
			return func(r *Run) {
				r.halt = stopped
				r.traceAction("stop", "")
			}
		},
	}
}
