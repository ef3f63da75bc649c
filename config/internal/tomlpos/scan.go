package tomlpos

import (
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// Bounds of a document. They are far above what any key here needs, and keep the decoder,
// which recurses and keeps the dotted path of every key, within small memory.
const (
	maxDepth = 8  // keys and arrays within one another
	maxKey   = 64 // octets of one key
)

// A scanner reads the structure of a TOML document (headers, keys, where values begin) and
// leaves the values themselves to the decoder. It is as lenient as it can be: what is wrong
// with the syntax the decoder says.
type scanner struct {
	text  string
	pos   int
	depth int
	table *node // of the latest header
	root  *node
	limit error // a bound that was broken, at pos
}

// scan returns where everything stands in text and how far it could be read: len(text) when
// all of it was understood. The error is a bound that the document breaks there.
func scan(text string) (root *node, end int, err error) {
	s := &scanner{text: text, root: &node{}}
	s.table = s.root
	for s.blank(); s.pos < len(text); s.blank() {
		if !s.expression() {
			return s.root, s.pos, s.limit
		}
	}
	return s.root, s.pos, nil
}

// expression reads a header or a pair, and its line's end.
func (s *scanner) expression() bool {
	var ok bool
	if s.eat("[") {
		ok = s.header()
	} else {
		ok = s.pair(s.table)
	}
	return ok && s.lineEnd()
}

// header reads [a.b] or [[a.b]] after its first bracket.
func (s *scanner) header() bool {
	array := s.eat("[")
	s.spaces()
	start := s.pos
	at, ok := s.key(s.root)
	if !ok || !s.eat("]") || array && !s.eat("]") {
		return false
	}
	s.table = at
	if array {
		s.table = at.element(start)
	}
	return true
}

// pair reads key = value into table.
func (s *scanner) pair(table *node) bool {
	at, ok := s.key(table)
	if !ok || !s.eat("=") {
		return false
	}
	s.spaces()
	at.value = s.pos
	return s.value(at)
}

// key reads a dotted key and returns its node below table.
func (s *scanner) key(table *node) (*node, bool) {
	at := table
	for depth := 1; ; depth++ {
		if depth > maxDepth {
			return nil, s.exceeded("nested deeper than %d", maxDepth)
		}
		s.spaces()
		start := s.pos
		name, ok := s.simpleKey()
		if !ok {
			return nil, false
		}
		if len(name) > maxKey {
			s.pos = start
			return nil, s.exceeded("key longer than %d octets", maxKey)
		}
		at = at.last().child(name, start)
		s.spaces()
		if !s.eat(".") {
			return at, true
		}
	}
}

// simpleKey reads one part of a dotted key.
func (s *scanner) simpleKey() (string, bool) {
	start := s.pos
	if s.pos < len(s.text) && (s.text[s.pos] == '"' || s.text[s.pos] == '\'') {
		quote := s.text[s.pos]
		if !s.line(quote) {
			return "", false
		}
		quoted := s.text[start:s.pos]
		if !strings.Contains(quoted, `\`) || quote == '\'' {
			return quoted[1 : len(quoted)-1], true
		}
		var key struct{ Name string }
		_, err := toml.Decode("Name = "+quoted, &key)
		return key.Name, err == nil
	}
	for s.pos < len(s.text) && isBare(s.text[s.pos]) {
		s.pos++
	}
	return s.text[start:s.pos], s.pos > start
}

// value reads a value of any type and notes where its parts stand below n.
func (s *scanner) value(n *node) bool {
	rest := s.text[s.pos:]
	switch {
	case strings.HasPrefix(rest, `"""`):
		return s.lines(`"""`)
	case strings.HasPrefix(rest, `'''`):
		return s.lines(`'''`)
	case strings.HasPrefix(rest, `"`), strings.HasPrefix(rest, `'`):
		return s.line(rest[0])
	case strings.HasPrefix(rest, "["):
		return s.nested(func() bool { return s.array(n) })
	case strings.HasPrefix(rest, "{"):
		return s.nested(func() bool { return s.inlineTable(n) })
	}
	// A number, a boolean, a date, perhaps with a space in it.
	length := strings.IndexAny(rest, ",]}#\r\n")
	if length < 0 {
		length = len(rest)
	}
	s.pos += length
	return length > 0
}

func (s *scanner) nested(read func() bool) bool {
	if s.depth == maxDepth {
		return s.exceeded("nested deeper than %d", maxDepth)
	}
	s.depth++
	defer func() { s.depth-- }()
	s.pos++
	return read()
}

// array reads values up to a bracket; its opening one has been read.
func (s *scanner) array(n *node) bool {
	for {
		s.blank()
		if s.eat("]") {
			return true
		}
		if !s.value(n.element(s.pos)) {
			return false
		}
		s.blank()
		if !s.eat(",") {
			return s.eat("]")
		}
	}
}

// inlineTable reads pairs up to a brace; its opening one has been read.
func (s *scanner) inlineTable(n *node) bool {
	for {
		s.blank()
		if s.eat("}") {
			return true
		}
		if !s.pair(n) {
			return false
		}
		s.blank()
		if !s.eat(",") {
			return s.eat("}")
		}
	}
}

// exceeded ends the scan with a broken bound at the present position.
func (s *scanner) exceeded(format string, bound int) bool {
	s.limit = fmt.Errorf(format, bound)
	return false
}
