package client

import (
	"bufio"
	"fmt"
	"io"
)

// Traits are the properties of content that the parameters of MAIL declare.
type Traits struct {
	Size       int64 // octets with CRLF line ends, as Message.Size wants it
	EightBit   bool  // octets above 127 anywhere: BODY=8BITMIME
	UTF8Header bool  // octets above 127 in the header section: SMTPUTF8 (RFC 6532 §3)
}

// Body returns the BODY parameter that the content needs, "" for none.
func (t Traits) Body() string {
	if t.EightBit {
		return "8BITMIME"
	}
	return ""
}

// Inspect reads content to its end and returns its traits. The caller rewinds before sending.
func Inspect(content io.Reader) (Traits, error) {
	seen := &inspector{header: true}
	dots := &dotWriter{w: bufio.NewWriter(seen)}
	if _, err := io.Copy(dots, content); err != nil {
		return Traits{}, fmt.Errorf("read content: %w", err)
	}
	if err := dots.Close(); err != nil {
		return Traits{}, err
	}
	seen.traits.Size = dots.octets
	return seen.traits, nil
}

// An inspector looks at content as it goes over the wire, where every line ends in LF.
type inspector struct {
	traits Traits
	header bool // before the empty line
	line   int  // octets in this line so far, without CR
}

func (s *inspector) Write(p []byte) (int, error) {
	for _, c := range p {
		switch {
		case c == '\n':
			s.header = s.header && s.line > 0
			s.line = 0
		case c != '\r':
			s.line++
		}
		if c > 0x7f {
			s.traits.EightBit = true
			s.traits.UTF8Header = s.traits.UTF8Header || s.header
		}
	}
	return len(p), nil
}
