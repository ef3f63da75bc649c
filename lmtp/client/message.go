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

	// To are the forward-paths without angle brackets. The same one may come twice: it gets
	// two answers.
	To []string

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
	return command, nil
}

// needsUTF8 says why SMTPUTF8 is to be asked for, or "".
func (m Message) needsUTF8() string {
	if m.UTF8 == UTF8Never {
		return ""
	}
	for _, addr := range append([]string{m.From}, m.To...) {
		if !isASCII(addr) {
			return fmt.Sprintf("for the address %q", addr)
		}
	}
	if m.UTF8 == UTF8Always {
		return "which the message asks for"
	}
	return ""
}

// check refuses what would not stay one command: an address is put between angle brackets,
// and must not end them early, nor bring a line end or a parameter.
func (m Message) check() error {
	if len(m.To) == 0 {
		return errors.New("message has no recipient")
	}
	for _, addr := range append([]string{m.From}, m.To...) {
		if err := checkPath(addr); err != nil {
			return err
		}
	}
	return nil
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
