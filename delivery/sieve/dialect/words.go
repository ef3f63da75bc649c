package dialect

import (
	"regexp"
	"strings"
)

// Pools are small, so that what a script looks for is often there.
var (
	addresses = []string{
		"alice@example.org", "bob@example.com", "Bob@Example.COM", "alice+lists@example.org", "sales@shop.example",
		"noreply@help.example.net", "list-bounces@lists.example.net", "o'neil@example.com", "first.last@sub.example.org",
		"postmaster@example.org", "root@localhost", "x_y-z@example.co.uk",
	}
	names = []string{
		"", "Alice", "Bob Builder", "Müller, Jürgen", "Example Shop", "O\"Neil", "山田太郎", "Bob (home)", "info",
	}
	wordPool = []string{
		"invoice", "Invoice", "report", "[list]", "Re:", "Fwd:", "Grüße", "project-A", "Project", "*star*", "100%", "what?",
		"weekly", "über", "2026", "a\\b", "[SPAM]", "meeting", "\"quoted\"", "${1}", "日本", "x", "#42", "(fwd)", "€5",
	}
	folders = []string{
		"INBOX", "Junk", "Archive", "INBOX.Lists", "INBOX/Bills", "Entwürfe", "Test Data", "Lists.dev", "inbox", "R&D",
		"Trash", "a/b/c",
	}
	flags   = []string{`\Seen`, `\Flagged`, `\Answered`, `\Deleted`, `\Draft`, "$Forwarded", "Junk", "$label1", "NonJunk"}
	headers = []string{
		"Subject", "From", "To", "Cc", "List-Id", "X-Spam-Flag", "Received", "X-Priority", "Reply-To", "Date",
	}
)

// phrase is a few words.
func (m *source) phrase(n int) string {
	var list []string
	for range 1 + m.IntN(n) {
		list = append(list, m.one(wordPool...))
	}
	return strings.Join(list, " ")
}

// key returns what a script may look for in a text: all of it, a part, the same in capitals, or something else.
func (m *source) key(of string) string {
	switch m.IntN(6) {
	case 0, 1:
		return m.phrase(1)
	case 2:
		return of
	case 3:
		return strings.ToUpper(of)
	}
	runes := []rune(of)
	if len(runes) == 0 {
		return m.one("", "x")
	}
	from := m.IntN(len(runes))
	return string(runes[from : from+1+m.IntN(len(runes)-from)])
}

// glob returns a pattern for :matches.
func (m *source) glob(of string) string {
	plain := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)
	text := []rune(of)
	if m.percent(20) || len(text) == 0 {
		return m.one("*", "", "?*", "* *", m.phrase(1)+"*", "*"+m.phrase(1)+"*")
	}
	var b strings.Builder
	for at := 0; at < len(text); {
		switch n := min(1+m.IntN(8), len(text)-at); m.IntN(5) {
		case 0:
			b.WriteByte('*')
			at += n
		case 1:
			b.WriteByte('?') // one octet, so it fits ASCII only
			at++
		default:
			b.WriteString(plain.Replace(string(text[at : at+n])))
			at += n
		}
	}
	return b.String() + m.maybe(20, "*")
}

// regex returns an expression, of what POSIX and RE2 have in common.
func (m *source) regex(of string) string {
	of = m.key(of)
	switch m.IntN(6) {
	case 0:
		return "^" + regexp.QuoteMeta(of)
	case 1:
		return regexp.QuoteMeta(of) + "$"
	case 2:
		return "(" + regexp.QuoteMeta(of) + "|" + m.one("invoice", "report", "[a-c]+") + ")"
	case 3:
		return m.one("^.*$", "[0-9]+", "^(re|fwd): ", "[[:alpha:]]+", "^[^@]+@example\\.(org|com)$", "x{1,3}", "a?b*", "^$")
	}
	return regexp.QuoteMeta(of)
}

// keyFor returns a key of a match type.
func (m *source) keyFor(match, of string) string {
	switch match {
	case "matches":
		return m.glob(of)
	case "regex":
		return m.regex(of)
	}
	return m.key(of)
}

// target returns an address to send mail to.
func (m *source) target() string {
	return m.one("carol@example.net", "dave@example.net", "Carol@example.net", "erin@sub.example.net", "carol@EXAMPLE.net")
}

// answer returns the text of a vacation.
func (m *source) answer() string {
	return m.one("I am away.", "Ich bin im Urlaub.\n\nGrüße\n.\n..\n-- \nAlice", "I'm \"out\" \\ back soon", "",
		"one\ntwo")
}
