package address

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A cursor reads a path from left to right, one method for each production of the ABNF.
// A method that returns nil has consumed its production.
//
// Without SMTPUTF8 octets from 0x80 are consumed wherever text may stand, and noted: only
// when all else is well-formed is the missing SMTPUTF8 the fault to report.
type cursor struct {
	Parser
	src        string
	pos        int
	sender     bool // a reverse-path: whatever is safe will do, see ReversePath
	postmaster bool // <Postmaster> needs no domain
	high       bool // an octet from 0x80 that needs SMTPUTF8 was consumed
	uLabels    bool // the domain has a label that is not ASCII
	mapped     int  // octets of domains in A-labels, at least: those of a source route too
}

// path is Path without its brackets (RFC 5321 §4.1.2).
//
//	Path = "<" [ A-d-l ":" ] Mailbox ">"
func (c *cursor) path() (Address, error) {
	if c.UTF8 && !utf8.ValidString(c.src) {
		return Address{}, c.fail("not valid UTF-8")
	}
	if c.at('@') {
		c.postmaster = false
		if err := c.sourceRoute(); err != nil {
			return Address{}, err
		}
	}
	a, err := c.mailbox()
	if err == nil {
		err = c.end()
	}
	if err == nil && c.high {
		err = ErrNeedsUTF8
	}
	if err != nil {
		return Address{}, err
	}
	return a, nil
}

// sourceRoute is A-d-l and its colon (RFC 5321 §4.1.2). It is checked and ignored (§3.6.1).
//
//	A-d-l = At-domain *( "," At-domain ) ; At-domain = "@" domain
func (c *cursor) sourceRoute() error {
	for {
		if !c.eat('@') {
			return c.fail("@ expected in source route")
		}
		if err := c.domain(); err != nil {
			return err
		}
		if !c.eat(',') {
			break
		}
	}
	if !c.eat(':') {
		return c.fail(": expected after source route")
	}
	return nil
}

// mailbox is Mailbox (RFC 5321 §4.1.2), or Postmaster alone where that is allowed.
//
//	Mailbox = Local-part "@" ( Domain / address-literal )
func (c *cursor) mailbox() (Address, error) {
	start := c.pos
	local, err := c.localPart()
	if err != nil {
		return Address{}, err
	}
	if c.postmaster && c.done() && foldsTo(local, "postmaster") {
		return Address{Raw: c.src[start:], Local: local}, nil
	}
	if !c.eat('@') {
		return Address{}, c.fail("@ expected after local part")
	}
	domain := c.pos
	if c.at('[') {
		err = c.addressLiteral()
	} else {
		err = c.domain()
	}
	if err != nil {
		return Address{}, err
	}
	return Address{Raw: c.src[start:c.pos], Local: local, Domain: c.src[domain:c.pos]}, nil
}

// localPart is Local-part (RFC 5321 §4.1.2), unquoted.
//
//	Local-part = Dot-string / Quoted-string
func (c *cursor) localPart() (string, error) {
	if c.at('"') {
		return c.quotedString()
	}
	return c.dotString()
}

// dotString is Dot-string (RFC 5321 §4.1.2), with atext of RFC 6531 §3.3.
//
//	Dot-string = Atom *("." Atom)
func (c *cursor) dotString() (string, error) {
	start := c.pos
	for {
		atom := c.pos
		for !c.done() && (isAtext(c.src[c.pos]) || c.highLocal()) {
			c.pos++
		}
		if c.pos == atom && !c.sender {
			return "", c.fail("atom expected in local part")
		}
		if !c.eat('.') {
			break
		}
	}
	if c.pos == start {
		return "", c.fail("local part expected")
	}
	return c.src[start:c.pos], nil
}

// quotedString is Quoted-string (RFC 5321 §4.1.2), with qtextSMTP of RFC 6531 §3.3. It
// returns the octets that the string stands for.
//
//	Quoted-string = DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE
func (c *cursor) quotedString() (string, error) {
	c.eat('"')
	var unquoted strings.Builder // stays empty until the first quoted-pair
	start := c.pos
	for !c.done() {
		switch b := c.src[c.pos]; {
		case b == '"':
			tail := c.src[start:c.pos]
			c.pos++
			if unquoted.Len() == 0 {
				return tail, nil
			}
			return unquoted.String() + tail, nil
		case b == '\\':
			unquoted.WriteString(c.src[start:c.pos])
			c.pos++
			if err := c.quotedPair(); err != nil {
				return "", err
			}
			unquoted.WriteByte(c.src[c.pos-1])
			start = c.pos
		case isQtext(b) || c.highLocal():
			c.pos++
		default:
			return "", c.fail("octet not allowed in quoted string")
		}
	}
	return "", c.fail("quoted string is not closed")
}

// quotedPair is the second octet of quoted-pairSMTP (RFC 5321 §4.1.2). RFC 6531 leaves it
// ASCII.
//
//	quoted-pairSMTP = %d92 %d32-126
func (c *cursor) quotedPair() error {
	if c.done() || isControl(c.src[c.pos]) || c.UTF8 && c.src[c.pos] >= utf8.RuneSelf {
		return c.fail("printable ASCII expected after backslash")
	}
	c.highLocal()
	c.pos++
	return nil
}

// domain is Domain (RFC 5321 §4.1.2), with U-labels (RFC 6531 §3.3).
//
//	Domain = sub-domain *("." sub-domain)
func (c *cursor) domain() error {
	start := c.pos
	c.uLabels = false
	for {
		if err := c.subDomain(); err != nil {
			return err
		}
		if !c.eat('.') {
			break
		}
		if (c.TrailingDot || c.sender) && c.done() {
			break
		}
	}
	if c.uLabels {
		return c.checkULabels(c.src[start:c.pos])
	}
	return nil
}

// checkULabels checks the labels of a domain that are not ASCII. It maps them as long as all domains of the path
// together are not longer than one may be. Those of a longer path need only be safe, and not far too long: such a
// domain has no key.
func (c *cursor) checkULabels(domain string) error {
	c.mapped += leastOctets(domain)
	if c.mapped <= maxDomain && !c.sender && !bidiDomain(domain) {
		return c.fail("domain violates the Bidi rule")
	}
	for label := range strings.SplitSeq(domain, ".") {
		if isASCII(label) || !utf8.ValidString(label) { // what is not valid needs SMTPUTF8
			continue
		}
		if c.mapped > maxDomain {
			if !isSafeLabel(label) || !c.sender && utf8.RuneCountInString(label) > maxDecomposed*maxLabel {
				return c.fail("bad label")
			}
			continue
		}
		if _, err := aLabel(label); err != nil && !(c.sender && isSafeLabel(label)) {
			return fmt.Errorf("%w: %w", c.fail("bad label"), err)
		}
	}
	return nil
}

// subDomain is sub-domain: a label of letters, digits and hyphens (RFC 5321 §4.1.2), or one that checkULabels will
// check (RFC 6531 §3.3). Labels end at U+002E alone; other full stops are no separators.
//
//	sub-domain = Let-dig [Ldh-str] / U-label
func (c *cursor) subDomain() error {
	start := c.pos
	ascii := true
	for !c.done() {
		b := c.src[c.pos]
		if b >= utf8.RuneSelf {
			ascii = false
		} else if !isLetDig(b) && b != '-' && !(c.sender && b == '_') {
			break
		}
		c.pos++
	}
	label := c.src[start:c.pos]
	switch {
	case c.sender && label == "":
		return c.fail("label expected")
	case c.sender && ascii:
	case ascii && !isLDH(label):
		return c.fail("label of letters, digits and inner hyphens expected")
	case ascii:
	case !c.UTF8 && !(c.Lenient8Bit && utf8.ValidString(label)):
		c.high = true
	default:
		c.uLabels = true
	}
	return nil
}

// at reports whether the next octet is b.
func (c *cursor) at(b byte) bool { return c.pos < len(c.src) && c.src[c.pos] == b }

// eat consumes b where it is the next octet.
func (c *cursor) eat(b byte) bool {
	if !c.at(b) {
		return false
	}
	c.pos++
	return true
}

// highLocal reports whether the next octet is one from 0x80 in a local part, and notes it
// where that needs SMTPUTF8.
func (c *cursor) highLocal() bool {
	if c.src[c.pos] < utf8.RuneSelf {
		return false
	}
	if !c.UTF8 && !c.Lenient8Bit {
		c.high = true
	}
	return true
}

// done reports whether everything was consumed.
func (c *cursor) done() bool { return c.pos == len(c.src) }

// end is the end of the path.
func (c *cursor) end() error {
	if !c.done() {
		return c.fail("unexpected octet after the address")
	}
	return nil
}

// fail says what was wrong and where, never quoting the input: the text may be logged.
func (c *cursor) fail(what string) error {
	return fmt.Errorf("%w: %s at octet %d", ErrSyntax, what, c.pos+1)
}
