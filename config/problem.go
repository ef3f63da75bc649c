package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds what Load reports: a file of another kind is wrong in every line.
const maxProblems = 1000

// A Problem is one thing that is wrong, or looks wrong, in a configuration.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1, Column in characters. Both are 0 where the whole file
	// is meant.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Key is the path of the key, with indexes from 0: listen[2].protocol.
	Key string `json:"key,omitempty"`
	// Text says what is wrong, Hint what to do about it where that is known.
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
	// Warning marks what does not keep the configuration from being used.
	Warning bool `json:"warning"`
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

// A fault is an error with a hint: what a parser of values says is wrong.
type fault struct{ text, hint string }

func (f fault) Error() string { return f.text }

// problems collects what is wrong.
type problems []Problem

func (ps *problems) add(at place, text, hint string) {
	ps.append(at, Problem{Text: text, Hint: hint})
}

func (ps *problems) warn(at place, text, hint string) {
	ps.append(at, Problem{Text: text, Hint: hint, Warning: true})
}

// refuse adds err, which may be a fault.
func (ps *problems) refuse(at place, err error) {
	var f fault
	errors.As(err, &f)
	ps.add(at, err.Error(), f.hint)
}

func (ps *problems) append(at place, p Problem) {
	if len(*ps) == maxProblems {
		return
	}
	where := at.problem()
	p.File, p.Line, p.Column, p.Key = where.File, where.Line, where.Column, where.Key
	*ps = append(*ps, p)
}

// inOrder returns the problems in reading order: files as they were read, then by position.
func (ps problems) inOrder(files []string) []Problem {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Text, b.Text),
		)
	})
	return ps
}
