package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

func allPart() *AddressPart {
	return &AddressPart{"all", func(_ *Run, a *message.Address) (string, bool) { return a.Text, true }}
}

func localPart() *AddressPart {
	return &AddressPart{"localpart", func(_ *Run, a *message.Address) (string, bool) { return a.Local, a.Valid }}
}

func domainPart() *AddressPart {
	return &AddressPart{"domain", func(_ *Run, a *message.Address) (string, bool) { return a.Domain, a.Valid }}
}

// part returns the part that a test names, or all.
func (l *language) part(call *Call) *AddressPart {
	name := call.Of(partGroup)
	for _, p := range l.parts {
		if p.Name == name {
			return p
		}
	}
	return l.parts[0]
}

// address tries the part of an address. A domain with labels of IDNA is tried in its other form too: scripts have
// U-labels, messages often A-labels (RFC 5890 §2.3.2.1).
func (s *Search) address(r *Run, part *AddressPart, a *message.Address) bool {
	text, ok := part.of(r, a)
	if !ok || !r.spend(costAddress) {
		return false
	}
	if s.Try(r, text) {
		return true
	}
	if s.m.match.counts || !a.Valid {
		return false
	}
	if !isInternational(a.Domain) || !r.spend(costDomain) {
		return false
	}
	domain := otherForm(a.Domain)
	if domain == "" {
		return false
	}
	other := *a
	other.Domain, other.Text = domain, a.Local+"@"+domain
	if again, _ := part.of(r, &other); again != text {
		return s.m.try(r, value{again, s.m.comparator.canonical(again)})
	}
	return false
}

// isInternational reports whether a domain may have labels of IDNA.
func isInternational(domain string) bool {
	return !isASCII(domain) || strings.Contains(message.Lower(domain), "xn--")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// otherForm returns a domain with U-labels in A-labels, and one with A-labels in U-labels; empty if it has no other.
func otherForm(domain string) string {
	other := ""
	if isASCII(domain) {
		other = address.DomainUnicode(domain)
	} else if wire, err := address.WireDomain(domain); err == nil {
		other = wire
	}
	if other == domain {
		return ""
	}
	return other
}

// addressFields are those that hold addresses: RFC 5322, and what RFC 2076 and lists have besides. Scripts may ask for
// no others, so that what a field holds is never guessed (RFC 5228 §5.1).
var addressFields = map[string]bool{
	"from": true, "to": true, "cc": true, "bcc": true, "sender": true, "reply-to": true, "resent-from": true,
	"resent-to": true, "resent-cc": true, "resent-bcc": true, "resent-sender": true, "resent-reply-to": true,
	"return-path": true, "delivered-to": true, "errors-to": true, "apparently-to": true, "for-approval": true,
	"for-handling": true, "for-comment": true, "return-receipt-to": true, "return-receipt-requested": true,
	"read-receipt-to": true, "disposition-notification-to": true, "x-confirm-reading-to": true, "x-admin": true,
	"registered-mail-reply-requested-by": true, "mail-followup-to": true, "mail-reply-to": true,
	"abuse-reports-to": true, "x-complaints-to": true, "x-report-abuse-to": true, "x-beenthere": true,
	"x-original-from": true, "x-original-to": true, "original-recipient": true, "envelope-to": true,
	"x-envelope-to": true, "x-envelope-from": true, "approved": true,
}

// address compares addresses of fields (RFC 5228 §5.1).
func addressTest() *Definition {
	return &Definition{
		Name:     "address",
		Params:   []Param{{"header list", syntax.List}, {"key list", syntax.List}},
		Compares: true, Addresses: true,
		Test: func(c *Compiler, call *Call) Test {
			s, ok := c.selection(call, call.Args[0])
			for i, a := range elements(call.Args[0]) {
				if ok && s.names[i].IsConstant() && !addressFields[s.keys[i]] {
					c.Problem(a.Span, "use the header test", "the header '%s' is not allowed for the address test", a.Text)
					return nil
				}
			}
			m, part := c.Matcher(call, call.Args[1]), c.part(call)
			if !ok || m == nil {
				return nil
			}
			return func(r *Run) bool {
				search := m.Search()
				it := s.fields(r)
				for f := it.next(r); f != nil; f = it.next(r) {
					list := f.Addresses()
					for i := range list {
						if search.address(r, part, &list[i]) {
							return true
						}
					}
				}
				return search.End(r)
			}
		},
	}
}
