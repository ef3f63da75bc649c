package sieve

import (
	"errors"
	"slices"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// maxLoops is how deep loops may be nested; Pigeonhole has the same.
const maxLoops = 4

// foreverypart: a loop over the parts of the message, and break (RFC 5703 §3).
func foreverypart() *Extension {
	name := []Tag{{Name: "name", Kind: syntax.String}}
	return &Extension{
		Name: "foreverypart", Standard: "RFC 5703 §3",
		Definitions: []*Definition{
			{Name: "foreverypart", Tags: name, Block: true, Before: beginLoop, Command: foreverypartCommand},
			{Name: "break", Tags: name, Command: breakCommand},
		},
	}
}

// beginLoop notes the loop for what is in its block.
func beginLoop(c *Compiler, call *Call) (end func()) {
	name := ""
	if a := call.Tag("name"); a != nil {
		name = a.Text
	}
	c.include.loops = append(c.include.loops, name)
	return func() { c.include.loops = c.include.loops[:len(c.include.loops)-1] }
}

func foreverypartCommand(c *Compiler, call *Call) Step {
	if len(c.include.loops) >= maxLoops {
		c.Problem(call.NameSpan(), "", "loops are nested deeper than %d levels", maxLoops)
		return nil
	}
	c.Need(NeedsBody)
	block := call.Block
	return func(r *Run) {
		root, err := r.message.Root()
		if !r.noted(err) {
			return
		}
		if r.loop.depth == maxLoops { // included scripts have loops too
			r.Fail("loops are nested deeper than %d levels", maxLoops)
			return
		}
		r.loop.depth++
		defer func() { r.loop.depth-- }()
		around := r.loop.part
		whole := around
		if whole == nil {
			whole = root
		}
		eachPart(whole, func(p *message.Part) bool {
			if p == around {
				return true // a loop in another one goes over what is in the part
			}
			r.loop.part = p
			if !r.spend(1) {
				return false
			}
			block(r)
			return r.halt == running
		})
		r.loop.part = around
		if r.halt == broke {
			if r.loop.leaves--; r.loop.leaves == 0 {
				r.halt = running
			}
		}
	}
}

// eachPart calls yield for a part and all in it, as message.Part.All does, but goes into no part that is replaced
// meanwhile (RFC 5703 §5).
func eachPart(p *message.Part, yield func(*message.Part) bool) bool {
	inside := p.Parts
	if !yield(p) {
		return false
	}
	if len(inside) > 0 && (len(p.Parts) == 0 || p.Parts[0] != inside[0]) {
		return true
	}
	for _, child := range inside {
		if !eachPart(child, yield) {
			return false
		}
	}
	return true
}

// breakCommand leaves the innermost loop, or the one of a name and all in it.
func breakCommand(c *Compiler, call *Call) Step {
	loops := c.include.loops
	if len(loops) == 0 {
		c.Problem(call.NameSpan(), "", "the break command stands in no loop")
		return nil
	}
	leaves := 1
	if a := call.Tag("name"); a != nil {
		at := slices.Index(loops, a.Text)
		if a.Text == "" || at < 0 {
			c.Problem(a.Span, "", "the break command is in no loop named '%s'", a.Text)
			return nil
		}
		leaves = len(loops) - at
	}
	return func(r *Run) { r.halt, r.loop.leaves = broke, leaves }
}

// extracttext: the text of a part in a variable (RFC 5703 §7).
func extracttext() *Extension {
	return &Extension{
		Name: "extracttext", Standard: "RFC 5703 §7",
		Wants: []string{"variables", "foreverypart"},
		Definitions: []*Definition{{
			Name:     "extracttext",
			Params:   []Param{{"variable name", syntax.String}},
			Tags:     []Tag{{Name: "first", Kind: syntax.Number}},
			Modifies: true,
			Command:  extracttextCommand,
		}},
	}
}

func extracttextCommand(c *Compiler, call *Call) Step {
	if len(c.include.loops) == 0 {
		c.Problem(call.NameSpan(), "", "the extracttext command stands in no foreverypart")
		return nil
	}
	set, modify := c.setter(call.Args[0]), c.modify(call)
	if set == nil {
		return nil
	}
	first := uint64(message.MaxText)
	if a := call.Tag("first"); a != nil {
		first = a.Number
	}
	return func(r *Run) {
		text, _, err := r.plain(r.loop.part)
		if errors.Is(err, message.ErrText) {
			err = nil // a variable has room for its beginning only
		}
		if !r.noted(err) || !r.spend(len(text)) {
			return
		}
		set(r, r.modified(firstCharacters(text, first), modify))
	}
}

// firstCharacters cuts a text after n characters.
func firstCharacters(text string, n uint64) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
