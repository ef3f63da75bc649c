package lmtp

import (
	"errors"
	"os"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// data asks for the content (RFC 5321 §4.1.1.4). Without a recipient there is nobody to
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
		return c.noRecipient()
	case c.tx.envelope.Body == binaryMIME:
		return Reply{Code: 503, Enhanced: "5.5.1", Text: "BODY=BINARYMIME needs BDAT"} // RFC 3030 §3
	}
	return replyData
}

// noRecipient answers content for which there is nobody to answer: 503 by RFC 2033 §4.2,
// and 554 over ESMTP by RFC 5321 §3.3.
func (c *conn) noRecipient() Reply {
	if c.session.Protocol == ESMTP {
		return replyNoRcptSMTP
	}
	return replyNoRcpt
}

// receiveData reads content to its end, whatever becomes of it on the way: what follows a
// message that we cannot take must not be mistaken for commands.
func (c *conn) receiveData() error {
	t := c.newContent()
	if c.dots.Emit == nil { // once for a session
		c.dots.Emit = func(p []byte) {
			c.tx.content.write(p)
			c.dots.GiveUp = c.tx.content.tooMuch
		}
	}
	dots := &c.dots
	*dots = wire.DotDecoder{Emit: dots.Emit, Normalize: c.server.NormalizeBareLF}
	if err := c.in.ReadDots(dots); err != nil {
		return c.lostData(err)
	}
	t.checkLineEnds(dots.BareLF, dots.BareCR)
	return c.finish(t.err)
}

// lostData ends a session that broke off in the middle of content: what comes next on the
// connection would be content too.
func (c *conn) lostData(err error) error {
	log := c.log
	if c.tx.envelope != nil { // else it was a chunk out of sequence
		log = log.With("transaction", c.tx.envelope.ID)
	}
	log.Info("content lost", "error", err)
	switch {
	case errors.Is(err, errTooMuch):
		c.write(replyTooMuch)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.wasInterrupted():
		c.write(replyShutdown)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.write(c.timedOut())
	}
	return err
}
