package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// size compares the size of the message in octets (RFC 5228 §5.9).
func sizeTest() *Definition {
	return &Definition{
		Name:   "size",
		Params: []Param{{"limit", syntax.Number}},
		Tags:   []Tag{{Name: "over", Group: "limit"}, {Name: "under", Group: "limit"}},
		Test: func(c *Compiler, call *Call) Test {
			limit, over := call.Args[0].Number, call.Has("over")
			if call.Of("limit") == "" {
				c.Problem(call.Command.Span, "", "the size test requires :over or :under")
				return nil
			}
			c.Need(NeedsSize)
			return func(r *Run) bool {
				size := uint64(r.size())
				return over && size > limit || !over && size < limit
			}
		},
	}
}
