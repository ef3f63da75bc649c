package syntax

import "strconv"

// kind is what a token is.
type kind int

const (
	end kind = iota
	identifier
	tag
	number
	text
	leftSquare
	rightSquare
	leftRound
	rightRound
	leftCurly
	rightCurly
	semicolon
	comma
	garbage // characters that begin no token; a problem already
	broken  // a token of which a problem was noted, such as a string without an end
)

var kindNames = [...]string{
	end: "end of file", identifier: "identifier", tag: "tag", number: "number", text: "string",
	leftSquare: "'['", rightSquare: "']'", leftRound: "'('", rightRound: "')'", leftCurly: "'{'", rightCurly: "'}'",
	semicolon: "';'", comma: "','", garbage: "unknown characters", broken: "a broken token",
}

// A token is a word of the language.
type token struct {
	Span
	kind   kind
	text   string // of an identifier, a tag (without its colon), or a string
	number uint64
}

// String describes the token in a problem.
func (t token) String() string {
	switch t.kind {
	case identifier:
		return "identifier '" + t.text + "'"
	case tag:
		return "tag ':" + t.text + "'"
	case number:
		return "number " + strconv.FormatUint(t.number, 10)
	}
	return kindNames[t.kind]
}

// single are the tokens of one character.
var single = map[byte]kind{
	'[': leftSquare, ']': rightSquare, '(': leftRound, ')': rightRound, '{': leftCurly, '}': rightCurly,
	';': semicolon, ',': comma,
}
