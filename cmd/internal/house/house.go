// Package house measures the shape of the source code: how far the files of a package depend on one another, how
// large types, functions and parameter lists are, and which lines are too long to read side by side. "make house"
// prints the figures; a test can hold a package to them with Package.Exceeds.
package house

import "fmt"

// The limits of the house. A package of few files may be one knot: a file for each part of a single
// thing is no disorder, and neither are a dozen.
const (
	MaxKnot       = 12  // files that depend on each other both ways, where they are more than MaxKnotShare
	MaxKnotShare  = 40  // percent of a package's files
	MaxMethods    = 40  // of one receiver
	MaxFields     = 16  // of a struct that has methods
	MaxParameters = 5   // of one function
	MaxColumns    = 120 // of a line of Go, and of Markdown outside tables
	MaxTable      = 300 // columns of a row of a Markdown table
)

// A Package is what was measured of one package, its tests left aside.
type Package struct {
	Path  string // from the root of the module: "lmtp/address"
	Files int
	Lines int
	// Knot are the names of the files in the largest set that depend on each other both ways, directly or through
	// others; one file if there is no such set.
	Knot []string

	Methods    Largest // the receiver with the most methods
	Fields     Largest // the struct with methods that has the most fields
	Parameters Largest // the function with the most parameters
	Function   Largest // the longest function, in lines

	// Long are the lines over MaxColumns, as file:line. They include those of the tests.
	Long []string

	over []string
}

// A Largest is the largest of its kind in a package.
type Largest struct {
	Name  string
	Count int
}

// note keeps the largest.
func (l *Largest) note(name string, count int) {
	if count > l.Count {
		*l = Largest{name, count}
	}
}

// Exceeds returns what is beyond the limits, a line for each receiver, function and knot. Long lines are in Long.
func (p *Package) Exceeds() []string {
	over := p.over
	if len(p.Knot) > MaxKnot && len(p.Knot)*100 > p.Files*MaxKnotShare {
		knot := fmt.Sprintf("%s: %d of %d files depend on each other both ways", p.Path, len(p.Knot), p.Files)
		over = append([]string{knot}, over...)
	}
	return over
}
