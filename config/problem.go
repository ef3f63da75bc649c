package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/config/internal/tomlpos"
)

// A Problem is one thing that is wrong, or looks wrong, in a configuration.
type Problem struct {
	File string `json:"file"`
	// Line and Column count from 1, Column in characters. Both are 0 if the whole file is meant.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Key is the path of the key, with indexes from 0: listen[2].protocol.
	Key string `json:"key,omitempty"`
	// Text says what is wrong, Hint what to do about it if that is known.
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

// HasErrors reports whether problems has one that is more than a warning: the configuration cannot be used.
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// problemsInOrder returns the problems in reading order: files as they were read, then by position.
func problemsInOrder(found []table.Problem, files []string) []Problem {
	var list []Problem
	for _, f := range found {
		p := problemAt(f.Place)
		p.Text, p.Hint, p.Warning = f.Text, f.Hint, f.Warning
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Text, b.Text),
		)
	})
	return list
}

// problemAt returns a Problem of a place, which has no text yet.
func problemAt(at tomlpos.Place) Problem {
	p := Problem{File: at.Document.File, Key: at.Key}
	p.Line, p.Column = at.Position()
	return p
}
