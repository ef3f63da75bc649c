package table

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/tomlpos"
)

// MaxProblems bounds how many problems are reported: a file of another kind is wrong in every line.
const MaxProblems = 1000

// A Problem is one mistake, and where it is.
type Problem struct {
	Place tomlpos.Place
	hint.Error
}

// An Input is what the documents of a configuration say, and what is wrong with it.
type Input struct {
	// Main is the document that problems with what is missing refer to.
	Main     *tomlpos.Document
	Problems []Problem

	values map[string]*Value // by path
	// suspects are the paths of what a document got so wrong that nothing may be concluded from its absence: whole
	// sections, and keys that were probably meant by a misspelled one.
	suspects map[string]bool
}

// add adds a problem, unless there are too many.
func (in *Input) add(at tomlpos.Place, e hint.Error) {
	if len(in.Problems) < MaxProblems {
		in.Problems = append(in.Problems, Problem{at, e})
	}
}

// Add adds a problem with the absence of a key or section.
func (in *Input) Add(key, text, suggestion string) {
	in.add(tomlpos.Place{Document: in.Main, Offset: -1, Key: key}, hint.Error{Text: text, Hint: suggestion})
}

// Warn is Add for a warning.
func (in *Input) Warn(key, text, suggestion string) {
	e := hint.Error{Text: text, Hint: suggestion, Warning: true}
	in.add(tomlpos.Place{Document: in.Main, Offset: -1, Key: key}, e)
}

// AddFile adds a problem with a whole file.
func (in *Input) AddFile(file string, err error) {
	in.add(tomlpos.Place{Document: &tomlpos.Document{File: file}, Offset: -1}, hint.Error{Text: err.Error()})
}

// Suspect reports whether a key or section may be missing only because of a mistake.
func (in *Input) Suspect(path string) bool { return in.suspects[path] }

// Value returns what was set at a path such as "listen[0].address", or nil.
func (in *Input) Value(path string) *Value { return in.values[path] }

// Values returns everything that was set, by path: sections, elements of arrays, and keys.
func (in *Input) Values() map[string]*Value { return in.values }

// Table returns the table of a section that is not an array.
func (in *Input) Table(section string) Table { return Table{in, section} }

// Element returns the table of an element of an array.
func (in *Input) Element(section string, i int) Table {
	return Table{in, section + "[" + strconv.Itoa(i) + "]"}
}

// A Table is what the documents say in one table.
type Table struct {
	in   *Input
	Path string
}

// Self is the table itself; nil if it does not occur.
func (t Table) Self() *Value { return t.in.values[t.Path] }

// Value returns what was set for a key, or nil.
func (t Table) Value(key string) *Value { return t.in.values[t.Path+"."+key] }

// Sets reports whether a key was set.
func (t Table) Sets(key string) bool { return t.Value(key) != nil }

// Suspect reports whether a key may be missing only because of a mistake.
func (t Table) Suspect(key string) bool { return t.in.suspects[t.Path+"."+key] }

// HasProblems reports whether something is wrong with a key of the table.
func (t Table) HasProblems() bool {
	for _, p := range t.in.Problems {
		if strings.HasPrefix(p.Place.Key, t.Path+".") && !p.Warning {
			return true
		}
	}
	return false
}

// Elements returns the elements of a list that were read without a problem.
func (t Table) Elements(key string) []*Value {
	var good []*Value
	for i := 0; ; i++ {
		v := t.in.values[fmt.Sprintf("%s.%s[%d]", t.Path, key, i)]
		switch {
		case v == nil:
			return good
		case !v.wrong:
			good = append(good, v)
		}
	}
}

// A Value is what was set for a key, or for an element of a list.
type Value struct {
	tomlpos.Value
	in        *Input
	isDefault bool // no document says it
	wrong     bool // there is a problem with it
}

// Add adds a problem with the value.
func (v *Value) Add(text, suggestion string) { v.Refuse(hint.New(text, suggestion)) }

// AddKey adds a problem with the key, where it is not the value that is wrong.
func (v *Value) AddKey(text, suggestion string) {
	v.wrong = true
	v.in.add(v.KeyPlace(), hint.Error{Text: text, Hint: suggestion})
}

// Warn adds a warning about the value.
func (v *Value) Warn(text, suggestion string) { v.Refuse(hint.Warning(text, suggestion)) }

// Refuse adds an error with the value, which may be a hint.Error; nil adds nothing.
func (v *Value) Refuse(err error) {
	if err == nil {
		return
	}
	var e hint.Error
	if !errors.As(err, &e) {
		e = hint.Error{}
	}
	e.Text = err.Error()
	v.wrong = v.wrong || !e.Warning
	v.in.add(v.Place(), e)
}

// Where returns file:line of the value.
func (v *Value) Where() string { return v.Place().String() }

// Absolute resolves a path against the directory of the file that says it.
func (v *Value) Absolute(path string) (string, error) {
	switch {
	case path == "":
		return "", hint.New("the path is empty", "")
	case strings.ContainsRune(path, 0):
		return "", hint.New("the path contains a NUL", "")
	case strings.HasPrefix(path, "~"):
		return "", hint.New("~ has no meaning here", "write the whole path")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(v.Document.Directory, path)
	}
	return filepath.Clean(path), nil
}
