package dialect

import (
	"math/rand/v2"
	"regexp"
	"strings"
)

// token finds what a mutation may hit: strings, words with their colon, and single characters.
var token = regexp.MustCompile(`"(\\.|[^"\\])*"|:?[A-Za-z_]+|[0-9]+[KMG]?|[][(){};,#]`)

// Mutate returns the script of a case with a mistake or two of the kinds that people and programs make.
func Mutate(number uint64) string {
	m := &source{rand.New(rand.NewPCG(number, 5804))}
	text := New(number).Script
	for range 1 + m.IntN(2) {
		text = m.mutate(text)
	}
	return text
}

func (m *source) mutate(text string) string {
	spans := token.FindAllStringIndex(text, -1)
	if len(spans) == 0 {
		return text + m.one(";", "x", "{")
	}
	i := m.IntN(len(spans))
	from, to := spans[i][0], spans[i][1]
	word := text[from:to]
	replace := func(with string) string { return text[:from] + with + text[to:] }
	switch m.IntN(12) {
	case 0, 1: // left out
		return replace("")
	case 2: // twice
		return replace(word + " " + word)
	case 3: // exchanged with the next
		if i+1 < len(spans) {
			next := spans[i+1]
			return text[:from] + text[next[0]:next[1]] + text[to:next[0]] + word + text[next[1]:]
		}
		return replace("")
	case 4: // misspelled
		at := from + m.IntN(to-from)
		return text[:at] + text[at+1:]
	case 5:
		at := from + m.IntN(to-from+1)
		return text[:at] + m.one("x", "e", ":", `"`, ";", "}", "{", "\\", "\x00", "\xff", "é", "5", "K", "-") + text[at:]
	case 6: // cut off
		return text[:from]
	case 7: // another word
		return replace(m.one("keep", "discard", "header", ":contains", ":is", ":copy", "not", "anyof", `"x"`, "42", "elsif",
			":nonsense", "nonsense", `["a", "b"]`, "text:\n", "1G", "/*", "else", "stop", "if true"))
	case 8: // an extension that is not required, or that there is not
		return strings.Replace(text, m.one("fileinto", "imap4flags", "vacation", "copy", "variables"),
			m.one("fileinfo", "copy", ""), 1)
	case 9: // nothing is required
		if at := strings.Index(text, "require "); at >= 0 {
			if end := strings.IndexByte(text[at:], '\n'); end >= 0 {
				return text[:at] + text[at+end:]
			}
		}
		return replace("require")
	case 10: // a comparator, a relation, a number
		return strings.NewReplacer(`"i;octet"`, `"i;ocket"`, `"ge"`, `"xx"`, `:days `, `:days "`, " 1K", " 99999999999G").Replace(text)
	}
	return replace(strings.Trim(word, `":`)) // without its quotes, or its colon
}
