// Package tomlpos reads TOML documents and knows where everything stands in them. The values are those of package
// toml; its decoder does not say where it found them, so a scanner reads the structure of the same text beside it.
package tomlpos

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// decodeAhead is how far past the end of what the scanner understood the decoder may look: enough to see what is
// wrong there, too little to nest deeply.
const decodeAhead = 256

// A Document is one TOML file.
type Document struct {
	File string
	// Directory is what relative paths in it resolve against.
	Directory string

	text  string
	lines []int // offsets of the lines' first octets
	root  *node
}

// An Error is a mistake in the syntax of a document.
type Error struct {
	Place      Place
	Text, Hint string
}

// syntaxHint is what a line of TOML can be.
const syntaxHint = "a line is [table], [[table]], or key = value with text in quotes"

// Parse reads the text of a file. It returns no values after a mistake in the syntax: TOML is not defined past the
// first one.
func Parse(file, text string) (*Document, map[string]any, *Error) {
	d := &Document{File: file, text: strings.TrimPrefix(text, "\ufeff")}
	d.lines = append(d.lines, 0)
	for i := range len(d.text) {
		if d.text[i] == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	wrong := func(offset int, text, hint string) (*Document, map[string]any, *Error) {
		return d, nil, &Error{Place{d, offset, ""}, text, hint}
	}
	if !utf8.ValidString(d.text) {
		return wrong(invalidUTF8(d.text), "not UTF-8 text", "")
	}
	root, end, broken := scan(d.text)
	d.root = root
	if broken != nil {
		return wrong(end, broken.Error(), syntaxHint)
	}
	values, err := decode(d.text[:min(len(d.text), end+decodeAhead)])
	var syntax toml.ParseError
	switch {
	case errors.As(err, &syntax):
		return wrong(syntax.Position.Start, oneLine(syntax.Message), syntaxHint)
	case err != nil:
		return wrong(end, err.Error(), "")
	case end < len(d.text):
		return wrong(end, "not understood", "")
	}
	return d, values, nil
}

// Literal returns a document of one value, which stands nowhere. It is for values that no file says.
func Literal(text string) (Value, error) {
	values, err := decode("it = " + text)
	if err != nil {
		return Value{}, err
	}
	d := &Document{File: "default", lines: []int{0}}
	return Value{Data: values["it"], Document: d, node: &node{}}, nil
}

// Root returns the table that the document is. values are those that Parse returned.
func (d *Document) Root(values map[string]any) Value {
	return Value{Data: values, Document: d, node: d.root}
}

// oneLine makes one short line of the decoder's message, which may repeat the file.
func oneLine(message string) string {
	message = strings.TrimSuffix(message, ".")
	if len(message) > 2 && 'A' <= message[0] && message[0] <= 'Z' && 'a' <= message[1] && message[1] <= 'z' {
		message = strings.ToLower(message[:1]) + message[1:]
	}
	var b strings.Builder
	for _, r := range message {
		if b.Len() > 200 {
			return b.String() + "…"
		}
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// decode is toml.Decode without its panics: some spellings make the decoder report a bug of its own, and a
// configuration must not end a server that is only reloading.
func decode(text string) (values map[string]any, err error) {
	defer func() {
		if bug := recover(); bug != nil {
			err = errors.New("not understood: " + oneLine(fmt.Sprint(bug)))
		}
	}()
	_, err = toml.Decode(text, &values)
	return values, err
}

func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(s)
}

// A Place is an offset in a document, or the whole of it if the offset is negative.
type Place struct {
	Document *Document
	Offset   int
	Key      string
}

// Position returns the line and column, in characters, counted from 1. Both are 0 for a whole document.
func (p Place) Position() (line, column int) {
	if p.Offset < 0 {
		return 0, 0
	}
	return p.Document.position(p.Offset)
}

// String returns file:line.
func (p Place) String() string {
	line, _ := p.Position()
	return fmt.Sprintf("%s:%d", p.Document.File, line)
}

// position returns the line and column of an offset.
func (d *Document) position(offset int) (line, column int) {
	offset = min(offset, len(d.text))
	offset = d.runeStart(offset)
	line = sort.SearchInts(d.lines, offset+1)
	return line, utf8.RuneCountInString(d.text[d.lines[line-1]:offset]) + 1
}

// runeStart returns where the character begins that an offset is within: the decoder may stop there.
func (d *Document) runeStart(offset int) int {
	start := offset
	for start > 0 && start < len(d.text) && !utf8.RuneStart(d.text[start]) {
		start--
	}
	if _, size := utf8.DecodeRuneInString(d.text[start:]); start+size > offset {
		return start
	}
	return offset // not UTF-8
}
