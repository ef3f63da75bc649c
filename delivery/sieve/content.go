package sieve

import (
	"io"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
)

// A content is a message as a script has changed it so far.
type content struct {
	header    []*message.Field // as it is now: editheader changes it
	message   *message.Message // whose body it is
	rewritten bool             // the body is another one
	// enclosed is what it was before it was enclosed: redirect sends that on (RFC 5703 §6).
	enclosed   *content
	enclosures int
}

// begin is the message as it came, or as the scripts before this one have made it.
func (in *Input) begin(rewrites bool) content {
	c := content{header: in.Message.Header, message: in.Message}
	if in.Prior != nil && in.Prior.Err == nil {
		c = in.Prior.content
	}
	if rewrites { // others look at the message too
		c.message = c.message.Copy()
	}
	return c
}

// edited returns the header and the body, where they are not as they came.
func (c *content) edited(in *Input) (header []*message.Field, body *io.SectionReader) {
	if c.rewritten {
		if body = c.message.Body(); body == nil { // which is not the one that came
			body = io.NewSectionReader(strings.NewReader(""), 0, 0)
		}
	}
	original := in.Message.Header
	if len(c.header) == len(original) && (len(original) == 0 || &c.header[0] == &original[0]) {
		return nil, body
	}
	return c.header, body
}

// sent is what redirect sends on.
func (c *content) sent() *content {
	if c.enclosed != nil {
		return c.enclosed
	}
	return c
}

// reader reads the message as it is now.
func (c *content) reader() io.Reader { return c.message.Reader(c.header, nil) }

// size is that of the message with its header as it is now.
func (c *content) size() int64 {
	size := c.message.Size()
	if len(c.header) == len(c.message.Header) && (len(c.header) == 0 || &c.header[0] == &c.message.Header[0]) {
		return size
	}
	for _, f := range c.message.Header {
		size -= f.Size()
	}
	for _, f := range c.header {
		size += f.Size()
	}
	return size
}
