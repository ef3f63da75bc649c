package address

import (
	"errors"
	"fmt"
	"strings"
)

// errXtext is the fault of every bad encoding; callers answer 501 5.5.4 to any.
var errXtext = errors.New("bad xtext")

// DecodeXtext decodes xtext (RFC 3461 §4): printable ASCII but "+" and "=", and "+" with
// two upper-case hex digits. Empty text is xtext. Octets from 0x80 may come out.
//
// Deviation: encoded control characters are refused. Decoded values are written into
// header fields, where a line end would begin another.
func DecodeXtext(s string) (string, error) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '+':
			if i+2 >= len(s) {
				return "", fmt.Errorf("%w: short escape", errXtext)
			}
			hi, lo := strings.IndexByte(upperHex, s[i+1]), strings.IndexByte(upperHex, s[i+2])
			if hi < 0 || lo < 0 {
				return "", fmt.Errorf("%w: escape needs two upper-case hex digits", errXtext)
			}
			if c = byte(hi<<4 | lo); isControl(c) {
				return "", fmt.Errorf("%w: control character", errXtext)
			}
			i += 2
		case !isXchar(c):
			return "", fmt.Errorf("%w: octet %d must be encoded", errXtext, i+1)
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// isXchar is xchar (RFC 3461 §4).
func isXchar(c byte) bool { return '!' <= c && c <= '~' && c != '+' && c != '=' }

// EncodeXtext encodes s as xtext (RFC 3461 §4).
func EncodeXtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if isXchar(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, "+%02X", s[i])
		}
	}
	return b.String()
}
