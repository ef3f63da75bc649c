package lmtp

import (
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

var replyData = Reply{Code: 354, Text: "send the message, end with a line of one dot", then: (*conn).receiveData}

// data asks for the content (RFC 5321 §4.1.1.4). Without a recipient there is no one to
// answer for (RFC 2033 §4.2).
func (c *conn) data(string) Reply {
	switch {
	case c.state == stateChunk:
		// The message has begun by BDAT and cannot go on by DATA (RFC 3030 §2).
		c.fail(errSequence)
		return replySequence
	case c.state == stateFailed:
		return replySequence
	case c.state == stateMail:
		return noRecipient(c.session.Protocol)
	case c.tx.envelope.Body == binaryMIME:
		return Reply{Code: 503, Enhanced: "5.5.1", Text: "BODY=BINARYMIME needs BDAT"} // RFC 3030 §3
	}
	return replyData
}

// receiveData reads content to its end, whatever becomes of it on the way: what follows a
// message that we cannot take must not be mistaken for commands.
func (c *conn) receiveData() error {
	t := c.newContent()
	dots := &c.dots
	if dots.Emit == nil { // once for a session: the next message is in the same place
		dots.Emit = t.write
	}
	*dots = wire.DotDecoder{Emit: dots.Emit, Normalize: c.server.Syntax.NormalizeBareLF}
	if err := c.in.ReadDots(dots); err != nil {
		return c.lostData(err)
	}
	t.checkLineEnds(dots.BareLF, dots.BareCR)
	return c.finish(t.err)
}
