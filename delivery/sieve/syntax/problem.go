// Package syntax reads the text of Sieve scripts (RFC 5228 §2, §8): the lexer, a parser that goes on after an error,
// the tree it makes, and a printer. It knows no command by name.
package syntax

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// A Span is a part of a script's text, as offsets in octets: from Start up to, not including, End.
type Span struct{ Start, End int }

// A Source is the text of a script and its name, by which problems are reported.
type Source struct {
	Name string
	Text string

	lines []int // the offsets at which lines begin; made when first asked for
}

// Position returns the line and the column of an offset, counted from 1; columns count characters.
func (s *Source) Position(offset int) (line, column int) {
	if s.lines == nil {
		s.lines = []int{0}
		for i := range len(s.Text) {
			if s.Text[i] == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	offset = min(offset, len(s.Text))
	line = sort.SearchInts(s.lines, offset+1)
	return line, utf8.RuneCountInString(s.Text[s.lines[line-1]:offset]) + 1
}

// A Problem is something wrong with a script, at its place. End is the place after its last character.
type Problem struct {
	File      string `json:"file"`
	Line      int    `json:"line"`
	Column    int    `json:"column"`
	EndLine   int    `json:"end_line"`
	EndColumn int    `json:"end_column"`
	Text      string `json:"text"`
	Hint      string `json:"hint,omitempty"`
	Warning   bool   `json:"warning,omitempty"`
	// Syntax says that it is one of the grammar (RFC 5228 §8), not of what commands mean.
	Syntax bool `json:"syntax,omitempty"`
}

func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// MaxProblems bounds what is reported of one script.
const MaxProblems = 50

// Problems are those of one script, in the order in which they were found. The zero value has none.
type Problems struct {
	Source *Source
	List   []Problem
	errors int
}

// Add notes an error with a hint, which may be empty.
func (p *Problems) Add(at Span, hint, format string, args ...any) {
	p.errors++
	p.add(at, Problem{Text: fmt.Sprintf(format, args...), Hint: hint})
}

// Warn notes what is allowed, and hardly meant.
func (p *Problems) Warn(at Span, hint, format string, args ...any) {
	p.add(at, Problem{Text: fmt.Sprintf(format, args...), Hint: hint, Warning: true})
}

func (p *Problems) add(at Span, problem Problem) {
	if len(p.List) == MaxProblems {
		return
	}
	problem.File = p.Source.Name
	problem.Line, problem.Column = p.Source.Position(at.Start)
	problem.EndLine, problem.EndColumn = p.Source.Position(max(at.Start, at.End))
	problem.Text = strings.ToValidUTF8(problem.Text, "\ufffd")
	p.List = append(p.List, problem)
}

// Failed reports whether there is an error among them.
func (p *Problems) Failed() bool { return p.errors > 0 }

// Full reports that no more will be noted: who looks for problems can stop.
func (p *Problems) Full() bool { return len(p.List) == MaxProblems }
