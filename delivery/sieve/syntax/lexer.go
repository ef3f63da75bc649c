package syntax

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a script; what exceeds one is a problem.
const (
	MaxText       = 1 << 20 // octets of a script
	MaxTokens     = 100_000
	maxIdentifier = 32 // characters of a name; Pigeonhole takes as many
)

// A lexer cuts the text of a script into tokens. It always reaches the end of the text.
type lexer struct {
	problems *Problems
	text     string
	at       int
	token    token // the current one
	tokens   int
}

// next goes to the next token.
func (l *lexer) next() {
	wasGarbage := l.token.kind == garbage
	l.tokens++
	if l.tokens == MaxTokens {
		l.problems.Add(Span{l.at, l.at}, "", "the script has more than %d words", MaxTokens)
		l.at = len(l.text)
	}
	complete := l.skipSpace()
	start := l.at
	l.token = token{Span: Span{start, start}, kind: end}
	switch {
	case !complete:
		l.token.kind = broken
	case start == len(l.text):
	case single[l.text[start]] != end:
		l.at++
		l.token.kind = single[l.text[start]]
	case l.text[start] == '"':
		l.quoted()
	case isDigit(l.text[start]):
		l.number()
	case isLetter(l.text[start]):
		l.name(identifier)
	case l.text[start] == ':' && start+1 < len(l.text) && isLetter(l.text[start+1]):
		l.at++
		l.name(tag)
	default:
		l.garbage(wasGarbage)
	}
	l.token.End = l.at
}

// problem notes one with the current token, from its start to where the lexer is.
func (l *lexer) problem(hint, format string, args ...any) {
	l.token.kind = broken
	l.problems.Add(Span{l.token.Start, l.at}, hint, format, args...)
}

// garbage takes characters that begin no token, and notes them once where they follow one another.
func (l *lexer) garbage(noted bool) {
	r, size := utf8.DecodeRuneInString(l.text[l.at:])
	l.at += size
	if !noted {
		l.problem(hintOf(r), "unexpected character %s", strconv.QuoteRune(r))
	}
	l.token.kind = garbage
}

// hintOf names what is often typed instead of a character of the language.
func hintOf(r rune) string {
	switch r {
	case '“', '”', '„', '‘', '’', '«', '»', '\'':
		return `strings are quoted by "`
	case ':':
		return "the name of a tag follows its colon at once"
	case '\u00a0':
		return "this is a no-break space; write a plain one"
	}
	return ""
}

// skipSpace passes over white space and comments. It reports whether these have an end.
func (l *lexer) skipSpace() bool {
	for l.at < len(l.text) {
		switch c := l.text[l.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			l.at++
		case c == '#':
			start := l.at
			l.at = after(l.text, l.at, "\n")
			l.checkComment(start)
		case strings.HasPrefix(l.text[l.at:], "/*"):
			start := l.at
			length := strings.Index(l.text[start+2:], "*/")
			if length < 0 {
				l.at = len(l.text)
				l.problems.Add(Span{start, start + 2}, "it ends with */", "the comment has no end")
				return false
			}
			l.at = start + 2 + length + 2
			l.checkComment(start)
		default:
			return true
		}
	}
	return true
}

// checkComment notes a NUL in a comment that ends here: scripts have none at all (RFC 5228 §8.1).
func (l *lexer) checkComment(start int) {
	if n := strings.IndexByte(l.text[start:l.at], 0); n >= 0 {
		l.problems.Add(Span{start + n, start + n + 1}, "", "the comment has a NUL character")
	}
}

// after returns the offset after the next delimiter, or that of the end.
func after(text string, from int, delimiter string) int {
	if n := strings.Index(text[from:], delimiter); n >= 0 {
		return from + n + len(delimiter)
	}
	return len(text)
}

// name takes an identifier, a tag, or the string that text: begins.
func (l *lexer) name(k kind) {
	start := l.at
	for l.at < len(l.text) && (isLetter(l.text[l.at]) || isDigit(l.text[l.at])) {
		l.at++
	}
	l.token.kind, l.token.text = k, l.text[start:l.at]
	switch {
	case k == identifier && strings.EqualFold(l.token.text, "text") && strings.HasPrefix(l.text[l.at:], ":"):
		l.at++
		l.multiline()
	case len(l.token.text) > maxIdentifier:
		l.problem("", "the name '%s…' is longer than %d characters", l.token.text[:maxIdentifier], maxIdentifier)
	}
}

// number takes a number, which K, M or G multiplies (RFC 5228 §2.4.1).
func (l *lexer) number() {
	start := l.at
	for l.at < len(l.text) && isDigit(l.text[l.at]) {
		l.at++
	}
	n, err := strconv.ParseUint(l.text[start:l.at], 10, 64)
	if l.at < len(l.text) {
		if shift := 10 * (strings.IndexByte("KMG", l.text[l.at]&^0x20) + 1); shift > 0 {
			l.at++
			if bits.LeadingZeros64(n) < shift {
				err = strconv.ErrRange
			}
			n <<= shift
		}
	}
	l.token.kind, l.token.number = number, n
	if err != nil {
		l.problem("", "the number is larger than %d", uint64(math.MaxUint64))
	}
}

// quoted takes a quoted string (RFC 5228 §2.4.2). Its line ends become CRLF.
func (l *lexer) quoted() {
	var b strings.Builder
	from := l.at + 1 // of what is not yet in b
	for at := from; at < len(l.text); {
		switch l.text[at] {
		case '"':
			l.at = at + 1
			l.string(b.String() + l.text[from:at])
			return
		case '\\':
			b.WriteString(l.text[from:at])
			from = at + 1
			at++
			if at < len(l.text) && l.text[at] != '\n' {
				at++
			}
		case '\n':
			b.WriteString(strings.TrimSuffix(l.text[from:at], "\r"))
			b.WriteString("\r\n")
			at++
			from = at
		default:
			at++
		}
	}
	l.at = len(l.text)
	l.problems.Add(Span{l.token.Start, l.token.Start + 1}, `look for a missing "`, "the string has no end")
	l.token.kind = broken
}

// multiline takes the lines after text: up to one with a dot alone (RFC 5228 §2.4.2).
func (l *lexer) multiline() {
	first := after(l.text, l.at, "\n")
	rest := strings.TrimLeft(l.text[l.at:first], " \t")
	if rest = strings.TrimRight(rest, "\r\n"); rest != "" && rest[0] != '#' {
		l.at = first
		l.problem("the text begins on the next line", "'%s' stands after 'text:'", rest[:min(len(rest), maxIdentifier)])
		return
	}
	var b strings.Builder
	for l.at = first; l.at < len(l.text); {
		line := l.text[l.at:after(l.text, l.at, "\n")]
		if !strings.HasSuffix(line, "\n") {
			break
		}
		l.at += len(line)
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "." {
			l.string(b.String())
			return
		}
		if strings.HasPrefix(line, "..") {
			line = line[1:]
		}
		b.WriteString(line)
		b.WriteString("\r\n")
	}
	l.at = len(l.text)
	l.problems.Add(Span{l.token.Start, l.token.Start + len("text:")}, "it ends with a dot that is alone on its line",
		"the text has no end")
	l.token.kind = broken
}

// string is a string that is complete.
func (l *lexer) string(s string) {
	l.token.kind, l.token.text = text, s
	switch {
	case strings.Contains(s, "\x00"):
		l.problem("", "the string has a NUL character")
	case strings.Contains(strings.ReplaceAll(s, "\r\n", ""), "\r"):
		l.problem("", "the string has a carriage return that ends no line")
	case !utf8.ValidString(s):
		l.problem("scripts are UTF-8", "the string has octets that are not UTF-8")
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' }
