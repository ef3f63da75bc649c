package sieve

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// encoded-character: ${hex: ...} and ${unicode: ...} in strings (RFC 5228 §2.4.2.4).
func encodedCharacter() *Extension {
	return &Extension{Name: "encoded-character", Standard: "RFC 5228 §2.4.2.4"}
}

// decodeCharacters replaces what is well-formed; all else stays as it is.
func (c *Compiler) decodeCharacters(at syntax.Span, s string) string {
	var b strings.Builder
	for {
		start := strings.Index(s, "${")
		if start < 0 {
			break
		}
		b.WriteString(s[:start])
		s = s[start:]
		octets, length := c.decodeOne(at, s)
		if length == 0 {
			octets, length = "$", 1
		}
		b.WriteString(octets)
		s = s[length:]
	}
	b.WriteString(s)
	return b.String()
}

// decodeOne decodes a sequence at the start of s; its length is 0 if there is none.
func (c *Compiler) decodeOne(at syntax.Span, s string) (octets string, length int) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return "", 0
	}
	kind, digits, _ := strings.Cut(s[2:end], ":")
	numbers := strings.Fields(digits)
	isHex := strings.EqualFold(kind, "hex")
	if len(numbers) == 0 || !isHex && !strings.EqualFold(kind, "unicode") {
		return "", 0
	}
	var b strings.Builder
	for _, digits := range numbers {
		n, err := strconv.ParseUint(digits, 16, 64)
		if isHex && (err != nil || len(digits) > 2) || err != nil && !errors.Is(err, strconv.ErrRange) ||
			strings.ContainsAny(digits, "+_") {
			return "", 0
		}
		switch {
		case isHex:
			b.WriteByte(byte(n))
		case err == nil && n <= utf8.MaxRune && utf8.ValidRune(rune(n)):
			b.WriteRune(rune(n))
		default:
			c.Problem(at, "", "'%s' is no character of Unicode", digits)
			return "", end + 1
		}
	}
	return b.String(), end + 1
}
