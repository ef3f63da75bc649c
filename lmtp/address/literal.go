package address

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// addressLiteral is address-literal (RFC 5321 §4.1.3).
//
//	address-literal = "[" ( IPv4-address-literal / IPv6-address-literal /
//	                  General-address-literal ) "]"
func (c *cursor) addressLiteral() error {
	c.eat('[')
	start := c.pos
	for !c.done() && (isDcontent(c.src[c.pos]) || c.highLiteral()) {
		c.pos++
	}
	content := c.src[start:c.pos]
	if !c.eat(']') {
		return c.fail("address literal is not closed")
	}
	if c.high {
		return nil
	}
	if _, ok := literalKey(content); !ok {
		return c.fail("bad address literal")
	}
	return nil
}

// highLiteral notes an octet from 0x80 where SMTPUTF8 is missing. With SMTPUTF8 it is a
// fault: RFC 6531 leaves literals ASCII.
func (c *cursor) highLiteral() bool {
	if c.UTF8 || c.src[c.pos] < utf8.RuneSelf {
		return false
	}
	c.high = true
	return true
}

// isLiteral reports whether domain is bracketed.
func isLiteral(domain string) bool {
	return len(domain) > 2 && domain[0] == '[' && domain[len(domain)-1] == ']'
}

// literalKey returns the canonical spelling of what stands between the brackets of an address
// literal, in lower case; false where it is outside the grammar.
func literalKey(content string) (string, bool) {
	tag, value, tagged := strings.Cut(content, ":")
	switch {
	case !tagged:
		return ipv4(content)
	case foldsTo(tag, "ipv6"):
		addr, ok := ipv6(value)
		return "ipv6:" + addr, ok
	default:
		return general(content, tag, value)
	}
}

// ipv4 is IPv4-address-literal (RFC 5321 §4.1.3). Snum has up to three digits, so that
// leading zeros are within the grammar; they are decimal.
//
//	IPv4-address-literal = Snum 3("." Snum) ; Snum = 1*3DIGIT, 0-255
func ipv4(s string) (string, bool) {
	var octets [4]byte
	for i := range octets {
		snum, rest, more := strings.Cut(s, ".")
		if more != (i < 3) || len(snum) == 0 || len(snum) > 3 {
			return "", false
		}
		n, err := strconv.ParseUint(snum, 10, 8)
		if err != nil {
			return "", false
		}
		octets[i], s = byte(n), rest
	}
	return netip.AddrFrom4(octets).String(), true
}

// ipv6 is IPv6-addr (RFC 5321 §4.1.3). Deviation: "::" may stand for a single group, which
// the text of the ABNF forbids and every other reader of IPv6 addresses accepts.
func ipv6(s string) (string, bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return "", false
	}
	return addr.String(), true
}

// general is General-address-literal (RFC 5321 §4.1.3).
//
//	General-address-literal = Standardized-tag ":" 1*dcontent ; Standardized-tag = Ldh-str
func general(content, tag, value string) (string, bool) {
	if tag == "" || value == "" || !isLetDig(tag[len(tag)-1]) {
		return "", false
	}
	for i := range len(tag) {
		if !isLetDig(tag[i]) && tag[i] != '-' {
			return "", false
		}
	}
	for i := range len(value) {
		if !isDcontent(value[i]) {
			return "", false
		}
	}
	return lowerASCII(content), true
}
