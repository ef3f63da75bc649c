package address

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
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

// EncodeXtext encodes s as xtext (RFC 3461 §4).
func EncodeXtext(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		if isXchar(s[i]) {
			b.WriteByte(s[i])
			continue
		}
		writeHex(&b, '+', s[i])
	}
	return b.String()
}

// isXchar is xchar (RFC 3461 §4).
func isXchar(c byte) bool { return '!' <= c && c <= '~' && c != '+' && c != '=' }

// DecodeUTF8Addr decodes the address of ORCPT=utf-8;… (RFC 6533 §3): utf-8-addr-xtext, or
// utf-8-addr-unitext where raw says that the transaction asked for SMTPUTF8. Neither is
// xtext: "+" and "=" are written \x{2B} and \x{3D}. Control characters are refused as in
// DecodeXtext.
func DecodeUTF8Addr(s string, raw bool) (string, error) {
	if s == "" || !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: utf-8 address is empty or not UTF-8", errXtext)
	}
	var b strings.Builder
	b.Grow(len(s))
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '\\':
			var err error
			if r, n, err = embeddedUnicodeChar(s); err != nil {
				return "", err
			}
		case r < utf8.RuneSelf && !isXchar(byte(r)) || r >= utf8.RuneSelf && !raw:
			return "", fmt.Errorf("%w: %U must be encoded", errXtext, r)
		}
		if r < ' ' || 0x7f <= r && r < 0xA0 {
			return "", fmt.Errorf("%w: control character", errXtext)
		}
		b.WriteRune(r)
		s = s[n:]
	}
	return b.String(), nil
}

// EncodeUTF8Addr encodes s as utf-8-addr-xtext (RFC 6533 §3), the form for places that
// hold only ASCII.
func EncodeUTF8Addr(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf && isXchar(byte(r)) && r != '\\' {
			b.WriteByte(byte(r))
			continue
		}
		fmt.Fprintf(&b, `\x{%02X}`, r)
	}
	return b.String()
}

// embeddedUnicodeChar is EmbeddedUnicodeChar (RFC 6533 §3): the code point at the
// beginning of s, and the octets it takes. The hex has two to six digits of either case
// and no leading zero beyond two digits, and stands for a code point that may not stand
// for itself.
//
//	EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"
func embeddedUnicodeChar(s string) (rune, int, error) {
	bad := fmt.Errorf(`%w: bad \x{HEX}`, errXtext)
	digits, found := strings.CutPrefix(s, `\x{`)
	end := strings.IndexByte(digits, '}')
	if !found || end < 2 || end > 6 || end > 2 && digits[0] == '0' {
		return 0, 0, bad
	}
	n, err := strconv.ParseUint(digits[:end], 16, 32)
	r := rune(n)
	if err != nil || !utf8.ValidRune(r) || r < utf8.RuneSelf && isXchar(byte(r)) && r != '\\' {
		return 0, 0, bad
	}
	return r, len(`\x{`) + end + len(`}`), nil
}
