package maildir

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
)

// shifted is the base64 of modified UTF-7: a comma in place of the slash, which separates
// directories, and no padding (RFC 3501 §5.1.3).
var shifted = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding).Strict()

// encodeUTF7 writes a name in modified UTF-7: printable ASCII stands for itself, "&-" for "&",
// and "&…-" for the rest in UTF-16, as few shifts as there can be.
func encodeUTF7(name string) string {
	var b strings.Builder
	var run []rune // what cannot be written directly
	for _, r := range name {
		if !direct(r) {
			run = append(run, r)
			continue
		}
		shift(&b, run)
		run = run[:0]
		b.WriteRune(r)
		if r == '&' {
			b.WriteByte('-')
		}
	}
	shift(&b, run)
	return b.String()
}

// shift writes a run of characters in UTF-16, high octet first.
func shift(b *strings.Builder, run []rune) {
	if len(run) == 0 {
		return
	}
	var octets []byte
	for _, unit := range utf16.Encode(run) {
		octets = append(octets, byte(unit>>8), byte(unit))
	}
	b.WriteString("&" + shifted.EncodeToString(octets) + "-")
}

// decodeUTF7 reads modified UTF-7. Of forms that are not canonical it refuses some and decodes
// others; a caller that cares encodes the result again.
func decodeUTF7(s string) (string, bool) {
	var b strings.Builder
	for s != "" {
		plain, rest, shift := strings.Cut(s, "&")
		for _, r := range plain {
			if !direct(r) {
				return "", false
			}
		}
		b.WriteString(plain)
		if !shift {
			break
		}
		code, rest, closed := strings.Cut(rest, "-")
		if !closed {
			return "", false
		}
		if s = rest; code == "" {
			b.WriteByte('&')
			continue
		}
		octets, err := shifted.DecodeString(code)
		if err != nil || len(octets)%2 != 0 {
			return "", false
		}
		var units []uint16
		for i := 0; i < len(octets); i += 2 {
			units = append(units, uint16(octets[i])<<8|uint16(octets[i+1]))
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String(), true
}

// direct reports whether r is printable ASCII.
func direct(r rune) bool { return ' ' <= r && r <= '~' }
