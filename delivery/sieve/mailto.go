package sieve

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A mailto is what a URI of mail says (RFC 6068).
type mailto struct {
	to, cc        []message.Address
	subject, body string
}

// parseMailto reads a URI. Fields that the sender of a notification may not choose are passed over (RFC 5436 §2.3).
func parseMailto(uri string) (*mailto, error) {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok || !strings.EqualFold(scheme, "mailto") {
		return nil, fmt.Errorf("the method '%s' is not supported: only mailto is", shorten(uri))
	}
	to, fields, _ := strings.Cut(rest, "?")
	m := &mailto{}
	if err := m.field("to", to); err != nil {
		return nil, err
	}
	for field := range strings.SplitSeq(fields, "&") {
		if field == "" {
			continue
		}
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return nil, fmt.Errorf("'%s' has no value", field)
		}
		if name, ok = unescape(name); !ok || !isFieldName(name) {
			return nil, fmt.Errorf("the field name '%s' is invalid", name)
		}
		if err := m.field(message.Lower(name), value); err != nil {
			return nil, err
		}
	}
	if len(m.to)+len(m.cc) == 0 {
		return nil, errors.New("the method has no recipient")
	}
	return m, nil
}

// field takes the value of a field.
func (m *mailto) field(name, value string) error {
	text, ok := unescape(value)
	if !ok {
		return fmt.Errorf("'%s' has characters that stand in no URI", shorten(value))
	}
	switch name {
	case "to":
		return addresses(&m.to, text)
	case "cc":
		return addresses(&m.cc, text)
	case "subject":
		m.subject = strings.Join(strings.Fields(text), " ")
	case "body":
		m.body = text
	}
	return nil
}

// addresses adds those of a list that are not there yet.
func addresses(to *[]message.Address, list string) error {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	for _, one := range message.ParseAddresses(list) {
		a, problem := parseAddress(one.Text)
		if problem != "" {
			return fmt.Errorf("the address '%s' is invalid: %s", shorten(one.Text), problem)
		}
		if a.Name = one.Name; address.HasControl(a.Name) {
			return fmt.Errorf("the name before <%s> has characters that stand in no header", shorten(a.Text))
		}
		*to = addRecipient(*to, a)
	}
	return nil
}

// addRecipient adds an address that is not there yet.
func addRecipient(to []message.Address, a message.Address) []message.Address {
	if isAmong(a, to) {
		return to
	}
	return append(to, a)
}

func isAmong(a message.Address, list []message.Address) bool {
	for _, other := range list {
		if sameAddress(a.Text, other.Text) {
			return true
		}
	}
	return false
}

// unescape removes the escapes of a part of a URI; ok is false if it has what stands in none (RFC 6068 §2).
func unescape(s string) (text string, ok bool) {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c >= 0x80
		if !letter && strings.IndexByte("-._~!$'()*+,:@/?%", c) < 0 {
			return s, false
		}
	}
	text, err := url.PathUnescape(s)
	return text, err == nil
}
