package address

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Parser parses paths. The zero Parser is the strict parser of RFC 5321.
type Parser struct {
	// UTF8 admits the grammar of RFC 6531 §3.3: the transaction asked for SMTPUTF8.
	UTF8 bool
	// Lenient8Bit admits, without SMTPUTF8, any octet from 0x80 in a local part, and U-labels in a domain, as some
	// senders and relays produce them.
	Lenient8Bit bool
	// TrailingDot admits one dot after a domain. It stays in Address.Domain; keys ignore it.
	TrailingDot bool
}

// Parse parses an address as an administrator writes it, without brackets: local@domain,
// strict, internationalized forms allowed. Its errors wrap ErrSyntax.
func Parse(s string) (Address, error) {
	c := cursor{Parser: Parser{UTF8: true}, src: s}
	if !utf8.ValidString(s) {
		return Address{}, c.fail("not valid UTF-8")
	}
	a, err := c.mailbox()
	if err == nil {
		err = c.end()
	}
	if err != nil {
		return Address{}, err
	}
	return a, nil
}

// ForwardPath parses the content of a forward-path's brackets. Source routes are checked
// and dropped. Postmaster, in any case and quoted or not, needs no domain (RFC 5321
// §4.1.1.3). No length is refused, nor any code point of a local part: a name that is too
// long or has invisible characters has no key, and so is unknown.
//
// The error wraps ErrSyntax, or ErrNeedsUTF8 where non-ASCII octets are the only fault.
func (p Parser) ForwardPath(path string) (Address, error) {
	c := cursor{Parser: p, src: path, postmaster: true}
	return c.path()
}

// ScanPath splits a command argument that begins with a path: path is what stands between
// the angle brackets, rest is what follows the closing one. Quoted strings and address
// literals may contain brackets (RFC 5321 §4.1.2). The path is not parsed, because a
// reverse-path can be judged only when its parameters, SMTPUTF8 among them, are known.
// One pass over s; the error wraps ErrSyntax.
func ScanPath(s string) (path, rest string, err error) {
	if !strings.HasPrefix(s, "<") {
		return "", "", fmt.Errorf("%w: path does not begin with <", ErrSyntax)
	}
	const plain = 0
	var inside byte = plain // the octet that ends the quoted string or literal
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case inside == '"' && c == '\\':
			i++ // quoted-pair
		case inside != plain:
			if c == inside {
				inside = plain
			}
		case c == '"':
			inside = '"'
		case c == '[':
			inside = ']'
		case c == '>':
			return s[1:i], s[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("%w: path is not closed", ErrSyntax)
}
