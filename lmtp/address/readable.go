package address

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How addresses and what clients said are shown to people: in the log, in traces, on the status page, in what the
// program prints. There is one form: UTF-8 as people write it. What cannot be seen, and what a terminal or a reader
// could take amiss, is written \x{200b}, or \xe9 for an octet that is not UTF-8. Unescape reads it.

// Log returns the form that is shown: the local part quoted where it must be, the domain in U-labels, whichever form
// it came in. The null path is "<>".
func (a Address) Log() string {
	if a.IsNull() {
		return "<>"
	}
	return Readable(join(quoteLocal(a.Local), DomainUnicode(a.Domain)))
}

// Shown returns the form of Log for an address as a text, such as a directory has it. What is no address is only
// made readable.
func Shown(mailbox string) string {
	at := strings.LastIndexByte(mailbox, '@')
	if at < 0 {
		return Readable(mailbox)
	}
	domain := DomainUnicode(mailbox[at+1:])
	if domain == mailbox[at+1:] {
		return Readable(mailbox)
	}
	return Readable(mailbox[:at+1] + domain)
}

// DomainUnicode returns a domain with its labels in U-labels, as people write it. A label that has
// no such form stays as it is, and so does a domain that is too long, or whose labels may not stand side by side
// (RFC 5893).
func DomainUnicode(domain string) string {
	if domain == "" || isLiteral(domain) || isASCII(domain) && !hasACE(domain) || leastOctets(domain) > maxDomain {
		return domain
	}
	u, err := mapLabels(domain, shownLabel)
	if err != nil || !bidiDomain(u) {
		return domain
	}
	return u
}

// hasACE reports whether a label of domain may be an A-label.
func hasACE(domain string) bool {
	for i := 0; i+4 <= len(domain); i++ {
		if (i == 0 || domain[i-1] == '.') && foldsTo(domain[i:i+4], "xn--") {
			return true
		}
	}
	return false
}

// Readable makes a text of ours fit to be shown, in which there may be words of others: an error, or a name from a
// database. It leaves backslashes alone, so that what is escaped already stays as it is.
func Readable(text string) string { return escape(text, false) }

// ReadableLines is Readable for a text of several lines, such as a stack: line ends and tabs stay.
func ReadableLines(text string) string {
	var b strings.Builder
	for {
		end := strings.IndexAny(text, "\n\t")
		if end < 0 {
			break
		}
		b.WriteString(Readable(text[:end]))
		b.WriteByte(text[end])
		text = text[end+1:]
	}
	if b.Len() == 0 {
		return Readable(text)
	}
	return b.String() + Readable(text)
}

// Escape makes octets of others fit to be shown, such as what a client sent. A backslash that would be taken for
// the beginning of an escape is escaped itself: Unescape gives back the octets.
func Escape(octets string) string { return escape(octets, true) }

// Cut returns the beginning of a text that is longer than most octets, with "..." to say so. It cuts no character
// in two.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most
	for end > most-utf8.UTFMax && end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	if !utf8.RuneStart(text[end]) {
		end = most // it is not UTF-8
	}
	return text[:end] + "..."
}

// escape writes what is not shown as \x{…}, or \xHH where it is not UTF-8.
func escape(s string, backslashes bool) string {
	if i := firstEscaped(s, backslashes); i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	carries := false // what was written last can carry a combining mark
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
			carries = false
		case backslashes && r == '\\':
			n = writeBackslash(&b, s)
			carries = false
		case IsShown(r) && (carries || !unicode.Is(unicode.M, r)):
			b.WriteString(s[:n])
			carries = r >= utf8.RuneSelf || isLetDig(byte(r))
		default:
			fmt.Fprintf(&b, `\x{%x}`, r)
			carries = false
		}
		s = s[n:]
	}
	return b.String()
}

// firstEscaped returns where the first octet stands that may be escaped, -1 where there is none: most texts are ASCII.
func firstEscaped(s string, backslashes bool) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || backslashes && s[i] == '\\' {
			return i
		}
	}
	return -1
}

// writeBackslash writes the backslash that s begins with, and how many octets of s that are. A quoted-pair stays
// together, as Unescape keeps it together.
func writeBackslash(b *strings.Builder, s string) int {
	if len(s) > 1 && ' ' <= s[1] && s[1] <= '~' && s[1] != 'x' {
		b.WriteString(s[:2])
		return 2
	}
	b.WriteString(`\x{5c}`)
	return 1
}

// IsShown reports whether a character is shown as it is: it can be seen, takes room of its own or is a mark on
// another, and turns no text. Not so controls, bidi controls, spaces other than ASCII's, unassigned and private
// code points, those that are ignored by default (UAX #44, Default_Ignorable_Code_Point), the blank Braille pattern,
// and the character that stands for octets which were no UTF-8.
func IsShown(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r <= '~'
	}
	return unicode.IsPrint(r) && r != utf8.RuneError && r != '\u2800' &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// Unescape returns the octets of which a text is the shown form, so that whatever was printed can be typed or pasted
// where an address is asked for. A text in double quotes, as the log and messages quote it, is read without them.
func Unescape(text string) string {
	// No address ends in a quote but the postmaster's, which needs none.
	if n := len(text); n > 1 && text[0] == '"' && text[n-1] == '"' {
		if inner, err := strconv.Unquote(text); err == nil {
			text = inner
		}
	}
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for text != "" {
		n := 1
		switch octets, length := unescapeOne(text); {
		case length > 0:
			b.WriteString(octets)
			n = length
		case text[0] == '\\' && len(text) > 1: // a quoted-pair
			n = 2
			fallthrough
		default:
			b.WriteString(text[:n])
		}
		text = text[n:]
	}
	return b.String()
}

// unescapeOne reads the escape that s begins with, and returns its length, 0 where it begins with none.
func unescapeOne(s string) (octets string, length int) {
	digits, found := strings.CutPrefix(s, `\x`)
	if !found {
		return "", 0
	}
	if inner, ok := strings.CutPrefix(digits, "{"); ok {
		hex, _, closed := strings.Cut(inner, "}")
		r, err := strconv.ParseUint(hex, 16, 32)
		if !closed || err != nil || !utf8.ValidRune(rune(r)) {
			return "", 0
		}
		return string(rune(r)), len(`\x{}`) + len(hex)
	}
	if len(digits) < 2 {
		return "", 0
	}
	octet, err := strconv.ParseUint(digits[:2], 16, 8)
	if err != nil {
		return "", 0
	}
	return string([]byte{byte(octet)}), len(`\xHH`)
}
