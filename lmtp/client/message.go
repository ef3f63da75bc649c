package client

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Message is what Send sends.
type Message struct {
	// From is the reverse-path without angle brackets; "" is the null path <>.
	From string

	// To are the recipients. The same one may come twice: it gets two answers.
	To []Recipient

	// Content is header and body; nil is an empty message. Line ends may be LF or CRLF, and
	// a missing last one is added; dots are taken care of. All other octets go as they are.
	Content io.Reader

	// Size is the number of octets of the content with CRLF line ends (RFC 1870 §5), for the
	// SIZE parameter. Zero means not known: then SIZE is not sent.
	Size int64

	// Body is the BODY parameter: "7BIT", "8BITMIME", or "" for none (RFC 6152).
	Body string

	// UTF8 says whether to ask for SMTPUTF8 (RFC 6531).
	UTF8 UTF8

	// RequireTLS keeps the message from going on without TLS (RFC 8689).
	RequireTLS bool

	// Return says what of the message a report of failure brings back: "FULL", "HDRS", or "" for what the server
	// likes (RFC 3461 §4.3).
	Return string

	// AllOrNone has the content sent only if no recipient is refused for now, so that a message that is tried again
	// reaches no recipient twice. Those who are refused for good do not count. The commands before the content then cost
	// one more round trip.
	AllOrNone bool

	// EnvelopeID comes back in each report, so that the sender knows what it is about (RFC 3461 §4.4). It is printable
	// ASCII; "" for none.
	EnvelopeID string
}

// UTF8 says when Send asks for SMTPUTF8.
type UTF8 int

const (
	// UTF8Auto asks when an address has non-ASCII octets. A message with internationalized
	// header fields and plain addresses needs UTF8Always.
	UTF8Auto UTF8 = iota
	// UTF8Always asks for every message.
	UTF8Always
	// UTF8Never does not ask; non-ASCII addresses are sent all the same, for the server to
	// refuse.
	UTF8Never
)

// ErrNotOffered is a message that needs an extension which the server does not offer.
// Nothing of it was sent.
var ErrNotOffered = errors.New("server does not offer")

// mailCommand composes MAIL, with the parameters that the server understands.
func (c *Client) mailCommand(m Message) (string, error) {
	command := "MAIL FROM:<" + m.From + ">"
	if m.Size > 0 && c.extensions.Has("SIZE") {
		command += " SIZE=" + strconv.FormatInt(m.Size, 10)
	}
	switch body := strings.ToUpper(m.Body); {
	case body == "":
	case body != "7BIT" && body != "8BITMIME":
		return "", fmt.Errorf("body %q is neither 7BIT nor 8BITMIME", m.Body)
	case c.extensions.Has("8BITMIME"):
		command += " BODY=" + body
	case body == "8BITMIME":
		return "", fmt.Errorf("%w 8BITMIME, for content of that kind", ErrNotOffered)
	}
	why := m.needsUTF8()
	if why != "" && !c.extensions.Has("SMTPUTF8") {
		return "", fmt.Errorf("%w SMTPUTF8, %s", ErrNotOffered, why)
	}
	if why != "" {
		command += " SMTPUTF8"
	}
	if m.RequireTLS {
		if err := c.offers("REQUIRETLS", " a message that asks for it"); err != nil {
			return "", err
		}
		command += " REQUIRETLS"
	}
	dsn, err := m.dsnParameters()
	if err != nil {
		return "", err
	}
	return command + dsn, c.offers("DSN", dsn)
}

// rcptCommand composes RCPT.
func (c *Client) rcptCommand(r Recipient) (string, error) {
	dsn, err := r.dsnParameters()
	if err != nil {
		return "", err
	}
	return "RCPT TO:<" + r.Address + ">" + dsn, c.offers("DSN", dsn)
}

// offers is an ErrNotOffered for parameters that the server does not know.
func (c *Client) offers(keyword, parameters string) error {
	if parameters != "" && !c.extensions.Has(keyword) {
		return fmt.Errorf("%w %s, for%s", ErrNotOffered, keyword, parameters)
	}
	return nil
}

// needsUTF8 says why SMTPUTF8 is to be asked for, or "".
func (m Message) needsUTF8() string {
	if m.UTF8 == UTF8Never {
		return ""
	}
	for _, addr := range m.paths() {
		if !isASCII(addr) {
			return fmt.Sprintf("for the address %q", addr)
		}
	}
	if m.UTF8 == UTF8Always {
		return "which the message asks for"
	}
	return ""
}

// paths are the addresses of the envelope.
func (m Message) paths() []string {
	list := []string{m.From}
	for _, r := range m.To {
		list = append(list, r.Address)
	}
	return list
}

// Check refuses what Send would, whatever the server offers: a message without recipients, an address that would not
// stay one command (it is put between angle brackets, and must not end them early, nor bring a line end or another
// parameter), and values that a parameter cannot have.
func (m Message) Check() error {
	if len(m.To) == 0 {
		return errors.New("message has no recipient")
	}
	for _, addr := range m.paths() {
		if err := checkPath(addr); err != nil {
			return err
		}
	}
	for _, r := range m.To {
		if _, err := r.dsnParameters(); err != nil {
			return err
		}
	}
	_, err := m.dsnParameters()
	return err
}

// checkPath allows space and brackets within a quoted string only (RFC 5321 §4.1.2). All else
// that is wrong with an address is for the server to say.
func checkPath(addr string) error {
	quoted := false
	for i := 0; i < len(addr); i++ {
		switch c := addr[i]; {
		case c < ' ' || c == 0x7f:
			return fmt.Errorf("control character in address %s", excerpt(addr))
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case !quoted && (c == ' ' || c == '<' || c == '>'):
			return fmt.Errorf("%q in address %s", c, excerpt(addr))
		}
	}
	if quoted {
		return fmt.Errorf("open quote in address %s", excerpt(addr))
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
