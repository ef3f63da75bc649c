// Package sieve is the language of mail filters (RFC 5228): a script's text becomes a Program, and a run of that for a
// message a Result. Nothing has an effect during a run: what is to be done with the message are values. The package
// knows no files, accounts or protocol; what it has to ask them it asks a Host.
//
// There is a file for each command, test and extension. extensions.go lists what a script may require.
package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// Compile makes a program of a text. It returns nil where one of the problems is no warning.
func Compile(source *syntax.Source, o Options) (*Program, []syntax.Problem) {
	o.Limits = o.Limits.orDefaults()
	if o.Allowed == nil {
		o.Allowed = func(e *Extension) bool { return !e.Off }
	}
	if o.AllowedGlobal == nil {
		o.AllowedGlobal = o.Allowed
	}
	c := newCompiler(source, &o, newLanguage(append(Extensions(), o.More...), o.Allowed))
	c.run()
	if c.problems.Failed() {
		return nil, c.problems.List
	}
	return c.program, c.problems.List
}
