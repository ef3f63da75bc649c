package address

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// String returns the wire form: the local part quoted where it must be and not otherwise,
// the domain as received. The null path is "".
func (a Address) String() string {
	if a.IsNull() {
		return ""
	}
	return join(quoteLocal(a.Local), a.Domain)
}

// Path returns the wire form in angle brackets.
func (a Address) Path() string { return "<" + a.String() + ">" }

// Header returns the form for a trace field, without brackets. In a message that asked for
// SMTPUTF8 the domain is in U-labels (RFC 6531 §3.7.3); in any other the text is ASCII and
// the domain in A-labels. ok is false where the address cannot be written so.
func (a Address) Header(utf8ok bool) (text string, ok bool) {
	if a.IsNull() {
		return "", true
	}
	local := quoteLocal(a.Local)
	if !utf8ok && !isASCII(local) || !utf8.ValidString(local) || HasControl(local) {
		return "", false
	}
	convert := toALabel
	if utf8ok {
		convert = shownLabel
	}
	domain, err := a.domainIn(convert)
	if err != nil || HasControl(domain) || !utf8ok && !isASCII(domain) {
		return "", false
	}
	if !bidiDomain(domain) {
		domain = a.Domain // A-labels that are valid each for itself, but not side by side
	}
	return join(local, domain), true
}

// domainIn returns the domain with its labels in the form that convert makes of them. One that is too long, as a
// sender's may be, stays as it is.
func (a Address) domainIn(convert func(label string) (string, error)) (string, error) {
	if a.Domain == "" || a.IsLiteral() || leastOctets(a.Domain) > maxDomain {
		return a.Domain, nil
	}
	return mapLabels(a.Domain, convert)
}

// join puts the domain, if there is one, after the local part.
func join(local, domain string) string {
	if domain == "" {
		return local
	}
	return local + "@" + domain
}

// quoteLocal writes a local part as a Dot-string where it is one, else as a Quoted-string
// with as few quoted-pairs as possible (RFC 5321 §4.1.2).
func quoteLocal(local string) string {
	if isDotString(local) {
		return local
	}
	var b strings.Builder
	b.Grow(len(local) + 4)
	b.WriteByte('"')
	for i := range len(local) {
		if local[i] == '"' || local[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	return b.String()
}

// isDotString reports whether local needs no quoting.
func isDotString(local string) bool {
	previous := byte('.')
	for i := range len(local) {
		c := local[i]
		if c == '.' && previous == '.' || c != '.' && c < utf8.RuneSelf && !isAtext(c) {
			return false
		}
		previous = c
	}
	return previous != '.'
}

// HasControl reports whether a local part or a domain has what ends or hides a header line, or turns what stands
// after it: C0, DEL, C1 (in UTF-8, or as octets that are no UTF-8, of which 0x85 and 0x9B are a new line and the
// beginning of an escape sequence), line and paragraph separators, bidi controls. No name of a mailbox has any
// (RFC 6530 §10.1, RFC 8264 §9).
func HasControl(s string) bool {
	for i, r := range s {
		switch {
		case r < ' ', 0x7f <= r && r < 0xa0, r == 0x2028, r == 0x2029, unicode.Is(unicode.Bidi_Control, r):
			return true
		case r == utf8.RuneError && s[i] < 0xa0: // an octet from 0x80 that begins no character
			return true
		}
	}
	return false
}
