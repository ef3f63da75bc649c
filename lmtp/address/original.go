package address

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Original is the recipient that the sender of a message named (RFC 3461 §4.2): the one before any alias. The zero
// value is none.
type Original struct {
	// Type says what kind of address it is, in lower case: "rfc822", "utf-8" where it is not ASCII (RFC 6533 §3), or
	// one of other mail systems.
	Type string
	// Address is decoded: UTF-8 without control characters. It need not be one of Internet mail.
	Address string
}

// ParseORCPT reads the value of the parameter ORCPT. It reports false for what the standards do not allow: such a
// value is as good as none, since to refuse it at the last hop would send mail back that was accepted elsewhere. Some
// clients leave "+" as it is, and servers in between pass on what they are given.
//
// Of the type utf-8 all three forms of RFC 6533 §3 are read, with and without SMTPUTF8. An address that says rfc822 and
// is not ASCII when decoded is of the type utf-8: Postfix sends such where the sender asked for nothing.
func ParseORCPT(value string) (Original, bool) {
	kind, encoded, ok := strings.Cut(value, ";")
	kind = lowerASCII(kind)
	if !ok || !isAtom(kind) || encoded == "" {
		return Original{}, false
	}
	addr, err := DecodeXtext(encoded)
	switch {
	case kind == "utf-8":
		addr, err = decodeUTF8(encoded)
	case kind == "rfc822" && !isASCII(encoded):
		kind, addr, err = "utf-8", encoded, nil
	case kind == "rfc822" && utf8.ValidString(addr) && !isASCII(addr):
		kind = "utf-8"
	case err == nil && !isASCII(addr):
		addr = encoded // octets of no known charset: they stay as they are written
	}
	if err != nil || !utf8.ValidString(addr) || strings.ContainsFunc(addr, isControlRune) {
		return Original{}, false
	}
	return Original{kind, addr}, true
}

// embedded is EmbeddedUnicodeChar (RFC 6533 §3).
var embedded = regexp.MustCompile(`\\x\{([0-9A-Fa-f]{2,6})\}`)

// decodeUTF8 reads an address of the type utf-8: utf-8-addr-xtext, utf-8-addr-unitext or utf-8-address (RFC 6533 §3).
// What is all ASCII may have been encoded as xtext besides, as RFC 3461 §4.2 has it for every type.
func decodeUTF8(s string) (string, error) {
	if plain, err := DecodeXtext(s); err == nil {
		s = plain
	}
	var wrong error
	s = embedded.ReplaceAllStringFunc(s, func(char string) string {
		point, err := strconv.ParseUint(char[len(`\x{`):len(char)-1], 16, 32)
		if err != nil || !utf8.ValidRune(rune(point)) {
			wrong = errors.New("no such character")
		}
		return string(rune(point))
	})
	return s, wrong
}

// IsZero reports whether there is none.
func (o Original) IsZero() bool { return o == Original{} }

// String returns the address after its type: "rfc822;staff@example.org".
func (o Original) String() string { return o.Type + ";" + o.Address }

// Header returns the content of a field such as Original-Recipient (RFC 8098 §2.3, RFC 3464 §2.3): "rfc822; a@b". Where
// that may not be UTF-8 the type utf-8 is in its ASCII form (RFC 6533 §3).
func (o Original) Header(utf8ok bool) string {
	if o.Type == "utf-8" && !utf8ok {
		return o.Type + "; " + encodeUTF8(o.Address)
	}
	return o.Type + "; " + o.Address
}

// maxORCPT is how long a value every server takes (RFC 3461 §5.4).
const maxORCPT = 500

// ORCPT returns the value of the parameter. An address of the type utf-8 is in its ASCII form, which is right with and
// without SMTPUTF8 (RFC 6533 §3). It fails for what ParseORCPT would not read, and above 500 octets.
func (o Original) ORCPT() (string, error) {
	var encoded string
	switch {
	case !isAtom(o.Type) || o.Address == "":
		return "", fmt.Errorf("original recipient %q is not TYPE;ADDRESS", o.String())
	case !utf8.ValidString(o.Address) || strings.ContainsFunc(o.Address, isControlRune):
		return "", fmt.Errorf("control character, or no UTF-8, in original recipient %q", o.String())
	case o.Type == "utf-8":
		encoded = encodeUTF8(o.Address)
	case !isASCII(o.Address):
		return "", fmt.Errorf("original recipient %s is not ASCII: its type is utf-8", o)
	default:
		encoded = EncodeXtext(o.Address)
	}
	value := o.Type + ";" + encoded
	if len(value) > maxORCPT {
		return "", fmt.Errorf("original recipient of %d octets as sent, of which servers take %d", len(value), maxORCPT)
	}
	return value, nil
}

// encodeUTF8 returns an address of the type utf-8 as printable ASCII: utf-8-addr-xtext (RFC 6533 §3). What xtext itself
// must encode is written the same way, so that no reader decodes twice.
func encodeUTF8(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf && isXchar(byte(r)) && r != '\\' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%02X}`, r)
		}
	}
	return b.String()
}

func isAtom(s string) bool {
	for i := range len(s) {
		if !isAtext(s[i]) {
			return false
		}
	}
	return s != ""
}

// isControlRune: what would end a line, or play with the terminal of a person who reads a report.
func isControlRune(r rune) bool {
	return r < ' ' || 0x7f <= r && r < 0xa0 || r == 0x2028 || r == 0x2029
}
