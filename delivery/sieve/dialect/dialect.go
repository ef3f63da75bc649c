// Package dialect writes scripts as webmails and hosting stacks write them, each with a message that it is about: for
// tests and fuzzing. What it writes depends on a number alone.
package dialect

import (
	"math/rand/v2"
	"strings"
)

// A Case is a script and a message for it.
type Case struct {
	Dialect  string
	Script   string
	Message  string
	From, To string // of the envelope
}

// writers are the dialects. Those of webmails come more often: their users write the most different rules.
var writers = []struct {
	name   string
	weight int
	write  func(*maker) string
}{
	{"roundcube", 6, (*maker).roundcube},
	{"sogo", 4, (*maker).sogo},
	{"nextcloud", 3, (*maker).nextcloud},
	{"snappymail", 3, (*maker).snappymail},
	{"sievelib", 3, (*maker).sievelib},
	{"stack", 3, (*maker).stack},
	{"hand", 4, (*maker).hand},
}

// New returns the case of a number.
func New(number uint64) Case {
	m := &maker{source: source{rand.New(rand.NewPCG(number, 5228))}}
	m.mail = m.newMail()
	total := 0
	for _, w := range writers {
		total += w.weight
	}
	n := m.IntN(total)
	for _, w := range writers {
		if n -= w.weight; n < 0 {
			return Case{w.name, w.write(m), m.mail.text(), m.mail.envelopeFrom, m.mail.envelopeTo}
		}
	}
	panic("unreachable")
}

// A source draws what a case is made of.
type source struct{ *rand.Rand }

// A maker writes a script for a message.
type maker struct {
	source
	mail *mail
}

// one returns one of several texts.
func (m *source) one(list ...string) string { return list[m.IntN(len(list))] }

// some returns n texts of a list, none twice.
func (m *source) some(n int, list ...string) []string {
	var chosen []string
	for _, i := range m.Perm(len(list))[:min(n, len(list))] {
		chosen = append(chosen, list[i])
	}
	return chosen
}

// percent is true that often.
func (m *source) percent(n int) bool { return m.IntN(100) < n }

// maybe returns a text that often, and else nothing.
func (m *source) maybe(n int, text string) string {
	if m.percent(n) {
		return text
	}
	return ""
}

// A script is written from its rules; what it requires is known at the end.
type script struct {
	strings.Builder
	required []string
}

// require notes capabilities, each once.
func (s *script) require(names ...string) {
	for _, name := range names {
		if !s.requires(name) {
			s.required = append(s.required, name)
		}
	}
}

func (s *script) requires(name string) bool {
	for _, r := range s.required {
		if r == name {
			return true
		}
	}
	return false
}

// quote writes a quoted string.
func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// quoteAll writes quoted strings.
func quoteAll(list []string, separator string) string {
	var quoted []string
	for _, s := range list {
		quoted = append(quoted, quote(s))
	}
	return strings.Join(quoted, separator)
}

// block writes a text of several lines, in which lines that begin with a dot get another one (RFC 5228 §2.4.2).
func block(s, eol string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = "." + line
		}
	}
	return "text:" + eol + strings.Join(lines, eol) + eol + "." + eol
}
