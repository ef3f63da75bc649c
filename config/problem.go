package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds what Load reports: a file of another kind could be wrong in every line.
const maxProblems = 1000

// A Problem is one thing that is wrong, or looks wrong, in a configuration.
type Problem struct {
	File string
	// Line and Column count from 1, Column in characters. Both are 0 where the whole file
	// is meant.
	Line, Column int
	// Key is the path of the key, with indexes from 0: listen[2].protocol.
	Key string
	// Text says what is wrong, Hint what to do about it where that is known.
	Text, Hint string
	// Warning marks what does not keep the configuration from being used.
	Warning bool
}

// String renders p as "file:line:column: key: what is wrong (hint)".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	if p.Key != "" {
		b.WriteString(": " + p.Key)
	}
	if p.Warning {
		b.WriteString(": warning")
	}
	b.WriteString(": " + p.Text)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// HasErrors reports whether problems has one that is more than a warning: the
// configuration cannot be used.
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// A place is where something stands: a Problem without its text.
type place struct {
	file         string
	line, column int
	key          string
}

// String renders pl for the text of another place's problem.
func (pl place) String() string { return fmt.Sprintf("%s:%d", pl.file, pl.line) }

// places maps the path of a value in the Config (user[3].aliases[0], counted over all
// files) to where it was said.
type places map[string]place

// problems collects what is wrong.
type problems []Problem

func (ps *problems) add(at place, text, hint string) {
	*ps = append(*ps, Problem{File: at.file, Line: at.line, Column: at.column, Key: at.key, Text: text, Hint: hint})
}

func (ps *problems) warn(at place, text, hint string) {
	ps.add(at, text, hint)
	(*ps)[len(*ps)-1].Warning = true
}

// sorted returns the problems in reading order: files as they were read, then by position.
// Errors come first where there are too many to report.
func (ps problems) sorted(files []string) []Problem {
	order := func(p Problem) int { return slices.Index(files, p.File) }
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(order(a), order(b)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Text, b.Text),
		)
	})
	return ps
}
