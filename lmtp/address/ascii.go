package address

import (
	"strings"
	"unicode/utf8"
)

// The keywords and letters of RFC 5321 are ASCII, and so is their case. strings.EqualFold
// would also equate U+017F with s and U+212A with k.

// isASCII reports whether every octet of s is below 0x80.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lowerASCII maps A-Z to a-z and leaves every other octet; without upper-case letters it
// returns s itself.
func lowerASCII(s string) string {
	for i := range len(s) {
		if isUpper(s[i]) {
			b := []byte(s)
			for ; i < len(b); i++ {
				if isUpper(b[i]) {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// foldsTo reports whether s is lower, a lower-case ASCII keyword, in any letter case.
func foldsTo(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if isUpper(c) {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isUpper(c byte) bool   { return 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool   { return '0' <= c && c <= '9' }
func isControl(c byte) bool { return c < ' ' || c == 0x7f }

// isLetDig is Let-dig (RFC 5321 §4.1.2).
func isLetDig(c byte) bool { return isUpper(c) || 'a' <= c && c <= 'z' || isDigit(c) }

// isAtext is atext (RFC 5322 §3.2.3).
func isAtext(c byte) bool {
	if isLetDig(c) {
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '/', '=', '?', '^', '_', '`', '{', '|', '}', '~':
		return true
	}
	return false
}

// isQtext is qtextSMTP (RFC 5321 §4.1.2).
func isQtext(c byte) bool { return ' ' <= c && c <= '~' && c != '"' && c != '\\' }

// isDcontent is dcontent (RFC 5321 §4.1.3).
func isDcontent(c byte) bool { return '!' <= c && c <= '~' && (c < '[' || c > ']') }

const upperHex = "0123456789ABCDEF"

// writeHex writes an octet as mark and two upper-case hex digits.
func writeHex(b *strings.Builder, mark, octet byte) {
	b.WriteByte(mark)
	b.WriteByte(upperHex[octet>>4])
	b.WriteByte(upperHex[octet&15])
}
