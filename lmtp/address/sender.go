package address

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// maxSender is the longest reverse-path, in octets as it is written: with "Return-Path: <>" around
// it a line has at most 998 (RFC 5322 §2.1.1).
const maxSender = 998 - len("Return-Path: <>")

// ReversePath parses the content of a reverse-path's brackets; "" is the null path. Source
// routes are dropped (RFC 5321 §4.1.1.3).
//
// Deviation: the sender's syntax is no reason to lose a message. MTAs take senders such as
// user@host/dept.example, user@src..example and MAILER-DAEMON; to refuse them here makes a report
// that cannot be delivered either. What is outside the grammar is taken as long as Return-Path can hold
// it and a reader finds the same in it: no controls, spaces, angle brackets, backslashes or quotes
// outside a quoted string, nothing invisible in a domain, at most 983 octets. A local part is
// written as a quoted string where it needs that.
//
// The error wraps ErrSyntax, or ErrNeedsUTF8 where non-ASCII octets are the only fault.
func (p Parser) ReversePath(path string) (Address, error) {
	if path == "" {
		return Address{}, nil
	}
	c := cursor{Parser: p, src: path, sender: true}
	a, err := c.path()
	if err != nil && !errors.Is(err, ErrNeedsUTF8) {
		odd, oddErr := p.oddSender(path)
		if errors.Is(oddErr, ErrNeedsUTF8) {
			err = oddErr
		} else if oddErr == nil {
			a, err = odd, nil
		}
	}
	switch {
	case err != nil:
		return Address{}, err
	case len(a.Raw)+len(`""`) > maxSender && len(a.String()) > maxSender:
		return Address{}, c.fail("longer than a line of a header")
	case HasControl(a.Local):
		return Address{}, c.fail("control character")
	}
	return a, nil
}

// oddSender reads a reverse-path outside the grammar: what stands before the last at sign is the
// local part, all of it where there is none.
func (p Parser) oddSender(path string) (Address, error) {
	c := cursor{Parser: p, src: path, sender: true}
	if p.UTF8 && !utf8.ValidString(path) {
		return Address{}, c.fail("not valid UTF-8")
	}
	if c.at('@') { // a source route, whatever its hops are
		if colon := strings.IndexByte(path, ':'); colon > 0 {
			if !isSafeSender(path[:colon]) {
				return Address{}, c.fail("unsafe octet in source route")
			}
			c.pos = colon + 1
		}
	}
	start := c.pos
	local, err := c.oddLocal()
	if err != nil {
		return Address{}, err
	}
	a := Address{Raw: path[start:], Local: local}
	if c.eat('@') {
		a.Domain = path[c.pos:]
	}
	switch {
	case local == "" || a.Raw == local+"@":
		return Address{}, c.fail("local part or domain expected")
	case !isSafeDomain(a.Domain):
		return Address{}, c.fail("unsafe octet in domain")
	case !p.UTF8 && !(p.Lenient8Bit && utf8.ValidString(a.Domain)) && !(isASCII(a.Domain) && isASCII(local)):
		return Address{}, ErrNeedsUTF8
	}
	return a, nil
}

// oddLocal consumes a quoted string, or whatever is safe before the last at sign.
func (c *cursor) oddLocal() (string, error) {
	if c.at('"') {
		local, err := c.quotedString()
		if err == nil && !c.done() && !c.at('@') {
			err = c.fail("@ expected after local part")
		}
		return local, err
	}
	start := c.pos
	c.pos = len(c.src)
	if at := strings.LastIndexByte(c.src, '@'); at >= start {
		c.pos = at
	}
	local := c.src[start:c.pos]
	if !isSafeSender(local) {
		return "", c.fail("unsafe octet in local part")
	}
	return local, nil
}

// isSafeSender reports whether s has nothing that means something to readers of paths.
func isSafeSender(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f || strings.IndexByte(`<>"\[]`, s[i]) >= 0 {
			return false
		}
	}
	return true
}

// isSafeDomain reports whether a sender's domain, in whatever form, can be written after "@" and
// read again: a literal, or labels without separators and invisible characters.
func isSafeDomain(domain string) bool {
	if isLiteral(domain) {
		domain = domain[1 : len(domain)-1]
		return isASCII(domain) && isSafeSender(domain)
	}
	if !isSafeSender(domain) || strings.ContainsAny(domain, "(),:;@") {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if utf8.ValidString(label) && !isSafeLabel(label) {
			return false
		}
	}
	return true
}
