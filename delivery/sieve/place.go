package sieve

import "github.com/doorstep-mail/doorstep/delivery/sieve/syntax"

// A Place is where in a script an action was asked for. The zero Place is nowhere.
type Place struct {
	program *Program
	offset  int
}

// Position is part of Action.
func (p *Place) Position() (script string, line, column int) {
	if p.program == nil {
		return "", 0, 0
	}
	source := syntax.Source{Text: p.program.source.Text} // programs are shared: positions are not remembered in them
	line, column = source.Position(p.offset)
	return p.program.Name, line, column
}

func (p *Place) locate(r *Run) { p.program, p.offset = r.program, r.at.Start }
