package wire

import "strings"

// The words of a protocol are ASCII, and so are compared and checked as octets.

// EqualFold compares s with t, which is in upper case, without regard to ASCII case. Unicode case folding
// would take U+017F and U+212A for letters.
func EqualFold(s, t string) bool {
	if len(s) != len(t) {
		return false
	}
	for i := range len(s) {
		if upperByte(s[i]) != t[i] {
			return false
		}
	}
	return true
}

// upperByte maps ASCII letters only.
func upperByte(b byte) byte {
	if 'a' <= b && b <= 'z' {
		return b - ('a' - 'A')
	}
	return b
}

// Upper is strings.ToUpper for ASCII letters only.
func Upper(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return rune(upperByte(byte(r)))
		}
		return r
	}, s)
}

// IsDigits reports whether s is one ASCII digit or more.
func IsDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// Plain reports whether text is SP and printable ASCII only: it can stand in a reply as it is.
func Plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
