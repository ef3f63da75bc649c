package lmtp

import (
	"errors"
	"os"
)

// abuseFactor is how many times the message size limit a client may send before it is cut
// off: content must be read to its end, but not for ever.
const abuseFactor = 10

var errTooMuch = errors.New("content far beyond the size limit")

// data asks for the content (RFC 5321 §4.1.1.4). Without a recipient there is nobody to
// answer for (RFC 2033 §4.2).
func (c *conn) data(string) Reply {
	if c.state == stateMail {
		if c.session.Protocol == ESMTP {
			return replyNoRcptSMTP
		}
		return replyNoRcpt
	}
	return replyData
}

// receiveData reads content to its end, whatever becomes of it on the way: what follows a
// message that we cannot take must not be mistaken for commands.
func (c *conn) receiveData() error {
	content := &content{c: c, limit: c.server.MaxMessageSize}
	content.dots.emit = content.write
	content.dots.normalize = c.server.NormalizeBareLF
	if err := c.in.readDots(&content.dots); err != nil {
		return c.lostData(err)
	}
	content.checkLineEnds()
	return c.finish(content.err)
}

// lostData ends a session that broke off in the middle of content: what comes next on the
// connection would be content too.
func (c *conn) lostData(err error) error {
	c.log.Info("content lost", "transaction", c.envelope.ID, "error", err)
	switch {
	case errors.Is(err, errTooMuch):
		c.out.write(replyTooMuch)
	case errors.Is(err, os.ErrDeadlineExceeded) && c.wasInterrupted():
		c.out.write(replyShutdown)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.out.write(replyIdle)
	}
	return err
}

// A content counts octets on their way to the Transaction, and remembers why it cannot be
// taken.
type content struct {
	c     *conn
	dots  dotDecoder
	limit int64
	size  int64
	err   error
}

// write hands content on while there is a use for it.
func (t *content) write(p []byte) {
	t.size += int64(len(p)) // RFC 1870 §5: CRLFs count, transparency dots do not
	switch {
	case t.size > abuseFactor*t.limit:
		t.dots.giveUp = errTooMuch
	case t.err != nil:
	case t.size > t.limit:
		t.err = t.c.errTooLarge()
	default:
		t.err = guard(func() error { _, err := t.c.tx.Write(p); return err })
	}
}

// checkLineEnds refuses content that another hop could read as another number of messages.
func (t *content) checkLineEnds() {
	switch {
	case t.err != nil:
	case t.dots.bareLF && !t.dots.normalize:
		t.err = &Error{Code: 554, Enhanced: "5.6.0", Text: "bare LF in the message, lines end in CRLF"}
	case t.dots.bareCR && t.c.server.RefuseBareCR:
		t.err = &Error{Code: 554, Enhanced: "5.6.0", Text: "bare CR in the message, lines end in CRLF"}
	}
}

func (c *conn) errTooLarge() error {
	r := c.tooLarge()
	return &Error{Code: r.Code, Enhanced: r.Enhanced, Text: r.Text}
}
