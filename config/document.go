package config

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// maxFile bounds one configuration file, in octets.
const maxFile = 4 << 20

// decodeAhead is how far behind the place where the scanner stopped the decoder may look:
// enough to see what is wrong there, too little to nest deeply.
const decodeAhead = 256

// A document is one configuration file.
type document struct {
	file string
	// directory is what relative paths resolve against.
	directory string
	text      string
	lines     []int // offsets of the lines' first octets
	root      *node
}

// A place is an offset in a document, or the whole of it where the offset is negative.
type place struct {
	doc    *document
	offset int
	key    string
}

// parse reads the text of a file. It adds what is wrong with the syntax to ps, and returns
// no values then: TOML is not defined behind its first error.
func parse(file, text string, ps *problems) (*document, map[string]any) {
	d := &document{file: file, text: strings.TrimPrefix(text, "\ufeff")}
	d.lines = append(d.lines, 0)
	for i := range len(d.text) {
		if d.text[i] == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	if !utf8.ValidString(d.text) {
		ps.add(place{d, invalidUTF8(d.text), ""}, "not UTF-8 text", "")
		return d, nil
	}
	root, end, broken := scan(d.text)
	d.root = root
	if broken != nil {
		ps.add(place{d, end, ""}, broken.Error(), syntaxHint)
		return d, nil
	}
	values, err := decode(d.text[:min(len(d.text), end+decodeAhead)])
	if err == nil && end < len(d.text) {
		err = fault{text: "not understood"}
	}
	if err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			end, err = syntax.Position.Start, fault{oneLine(syntax.Message), syntaxHint}
		}
		ps.refuse(place{d, end, ""}, err)
		return d, nil
	}
	return d, values
}

// syntaxHint is what a line of TOML can be.
const syntaxHint = "a line is [table], [[table]], or key = value with text in quotes"

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

// decode is toml.Decode without its panics: some spellings make the decoder report a bug of
// its own, and a configuration must not end a server that is only reloading.
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

// position returns the line and column, in characters, of an offset, counted from 1.
func (d *document) position(offset int) (line, column int) {
	offset = min(offset, len(d.text))
	line = sort.SearchInts(d.lines, offset+1)
	return line, utf8.RuneCountInString(d.text[d.lines[line-1]:offset]) + 1
}

// problem returns a Problem of this place, which has no text yet.
func (p place) problem() Problem {
	at := Problem{File: p.doc.file, Key: p.key}
	if p.offset >= 0 {
		at.Line, at.Column = p.doc.position(p.offset)
	}
	return at
}

// String renders p as it is named in the problem of another place.
func (p place) String() string {
	at := p.problem()
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}
