package lmtp

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// An attribute is a row of the table of what XCLIENT and XFORWARD take.
type attribute struct {
	name  string
	valid func(value string) bool
	set   func(o *Origin, value string)
}

// unsafeInValue means something in header fields and logs.
const unsafeInValue = " ()<>,;\"\\"

// maxAttribute is the longest value, in octets.
const maxAttribute = 255

var (
	attrName     = attribute{"NAME", anyText, func(o *Origin, v string) { o.Name = v }}
	attrAddr     = attribute{"ADDR", isAddr, func(o *Origin, v string) { o.Addr = parseAddr(v) }}
	attrPort     = attribute{"PORT", isPort, func(o *Origin, v string) { o.Port = v }}
	attrProtocol = attribute{"PROTO", anyText, func(o *Origin, v string) { o.Protocol = v }}
	attrHello    = attribute{"HELO", anyText, func(o *Origin, v string) { o.Hello = v }}
	attrLogin    = attribute{"LOGIN", anyText, func(o *Origin, v string) { o.Login = v }}
	attrIdent    = attribute{"IDENT", anyText, func(o *Origin, v string) { o.Ident = v }}
	attrSource   = attribute{"SOURCE", anyText, func(o *Origin, v string) { o.Source = v }}
	attrSession  = attribute{"SESSION", anyText, func(o *Origin, v string) { o.Session = v }}

	// Where the client connected to, and how long the proxy goes on: it is offered because
	// proxies send it, and not used.
	attrDestAddr = attribute{"DESTADDR", isAddr, nil}
	attrDestPort = attribute{"DESTPORT", isPort, nil}
	attrDestName = attribute{"DESTNAME", anyText, nil}
	attrTTL      = attribute{"TTL", wire.IsDigits, nil}
	attrTimeout  = attribute{"TIMEOUT", wire.IsDigits, nil}
)

// attributeNames lists a table for the hello reply.
func attributeNames(table []attribute) string {
	names := make([]string, len(table))
	for i, a := range table {
		names[i] = a.name
	}
	return strings.Join(names, " ")
}

// readAttributes reads the arguments of XCLIENT into o, or refuses them all.
//
//	1*( SP attribute-name "=" attribute-value )
func readAttributes(o *Origin, table []attribute, args string) Reply {
	for word := range strings.FieldsSeq(args) {
		name, value, ok := strings.Cut(word, "=")
		a := findAttribute(table, wire.Upper(name))
		if !ok || a == nil {
			return badArgument("not an attribute that is offered")
		}
		value, ok = attributeValue(value)
		if !ok || value != "" && !a.valid(value) {
			return badArgument("bad value of " + a.name)
		}
		if a.set != nil {
			a.set(o, value)
		}
	}
	return Reply{}
}

// readWhatFits reads the arguments of XFORWARD into o. They are notes for the log, taken from a
// client that may have said anything: an odd text is cleaned, and what cannot be used is left
// out, because to refuse the command would lose the others, the queue id among them.
func readWhatFits(o *Origin, table []attribute, args string) {
	for word := range strings.FieldsSeq(args) {
		name, said, _ := strings.Cut(word, "=")
		a := findAttribute(table, wire.Upper(name))
		if a == nil || a.set == nil {
			continue
		}
		value, ok := attributeValue(said)
		if !ok {
			value = cleanValue(said)
			ok = value != ""
		}
		if ok && (value == "" || a.valid(value)) {
			a.set(o, value)
		}
	}
}

// cleanValue makes of any value one that attributeValue takes, or "": each character that it does
// not take is "?", and what is too long is cut.
func cleanValue(s string) string {
	if decoded, err := address.DecodeXtext(s); err == nil {
		s = decoded
	}
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(unsafeInValue, r) {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxAttribute)]
}

func findAttribute(table []attribute, name string) *attribute {
	for i := range table {
		if table[i].name == name {
			return &table[i]
		}
	}
	return nil
}

// attributeValue decodes a value; one that the peer does not have is "". What it names goes
// into header fields and logs, so that nothing may be in it that means something there.
func attributeValue(s string) (value string, ok bool) {
	if wire.EqualFold(s, "[UNAVAILABLE]") || wire.EqualFold(s, "[TEMPUNAVAIL]") {
		return "", true
	}
	value, err := address.DecodeXtext(s)
	if err != nil && !allEncoded(s) {
		value, err = s, nil // Postfix before 2.3 sent values as they are
	}
	ok = err == nil && value != "" && len(value) <= maxAttribute && wire.Plain(value) &&
		!strings.ContainsAny(value, unsafeInValue)
	return value, ok
}

// allEncoded reports whether each "+" of s begins an octet in hexadecimal: then s was meant
// as xtext, whatever is wrong with it.
func allEncoded(s string) bool {
	for {
		_, rest, more := strings.Cut(s, "+")
		if !more {
			return true
		}
		if len(rest) < 2 || !isUpperHex(rest[0]) || !isUpperHex(rest[1]) {
			return false
		}
		s = rest[2:]
	}
}

func isUpperHex(b byte) bool { return '0' <= b && b <= '9' || 'A' <= b && b <= 'F' }

func anyText(string) bool { return true }

func isAddr(s string) bool { return parseAddr(s).IsValid() }

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil && wire.IsDigits(s)
}

// parseAddr reads an address: IPv4 as it is, IPv6 after "IPV6:" or as it is. A zone means
// nothing on another machine.
func parseAddr(s string) netip.Addr {
	if prefix := "IPV6:"; len(s) > len(prefix) && wire.EqualFold(s[:len(prefix)], prefix) {
		s = s[len(prefix):]
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{} // invalid
	}
	return addr.Unmap().WithZone("")
}
