package lmtp

import (
	"errors"
	"io"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// abuseFactor is how many times the message size limit a client may send before it is cut
// off: content must be read to its end, but not for ever.
const abuseFactor = 10

var (
	errTooMuch  = errors.New("content far beyond the size limit")
	errSequence = &Error{Code: 503, Enhanced: "5.5.1", Text: "command out of sequence", Rule: "sequence"}
	errBareLF   = &Error{Code: 554, Enhanced: "5.6.0", Text: "bare LF in the message, lines end in CRLF", Rule: "bare_lf"}
	errBareCR   = &Error{Code: 554, Enhanced: "5.6.0", Text: "bare CR in the message, lines end in CRLF", Rule: "bare_cr"}
)

// A content is what comes of a message, by DATA or BDAT: it counts octets on their way to
// the Transaction, and remembers why they cannot be taken.
type content struct {
	c       *conn
	size    int64
	err     error // why nothing more is handed on
	tooMuch error // why the client must be cut off

	take        func([]byte)      // chunks
	lines       *wire.LineScanner // of those that are text
	emptyChunks int               // that followed one another
}

func (c *conn) newContent() *content {
	c.tx.content = content{c: c}
	c.nc.beginContent()
	return &c.tx.content
}

// write hands content on while there is a use for it.
func (t *content) write(p []byte) {
	t.size += int64(len(p)) // RFC 1870 §5: CRLFs count, transparency dots do not
	switch {
	case t.size/abuseFactor > t.c.server.Limits.MessageSize:
		t.tooMuch, t.c.dots.GiveUp = errTooMuch, errTooMuch
	case t.err != nil:
	case t.size > t.c.server.Limits.MessageSize:
		t.c.log.Info("message refused", "limit", "message_size", "value", t.c.server.Limits.MessageSize, "transaction",
			t.c.tx.envelope.ID)
		t.err = TooLarge(t.c.server.Limits.MessageSize)
	default:
		t.err = t.handOn(p)
	}
}

// handOn writes content to the Transaction. A panic there is its error.
func (t *content) handOn(p []byte) (err error) {
	defer guard.Recover(&err)
	n, err := t.c.tx.handler.Write(p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite // a 250 would be for part of the message
	}
	return err
}

// checkLineEnds refuses content that another hop could read as another number of messages.
func (t *content) checkLineEnds(bareLF, bareCR bool) {
	switch {
	case t.err != nil:
	case bareLF && !t.c.server.Syntax.NormalizeBareLF:
		t.err = errBareLF
	case bareCR && t.c.server.Syntax.RefuseBareCR:
		t.err = errBareCR
	}
}

// binaryMIME is the BODY of a message that must come by BDAT and be kept octet by octet
// (RFC 3030 §3).
const binaryMIME = "BINARYMIME"

// fail makes the transaction one that can only be ended: by the last chunk, RSET or a hello.
func (c *conn) fail(why error) {
	c.logRefusal(why, "command", "BDAT", "transaction", c.tx.envelope.ID)
	c.tx.drop(c.log, why)
	c.state = stateFailed
}

// noRecipient answers content without a recipient to answer for: 503 by RFC 2033 §4.2,
// and 554 over ESMTP by RFC 5321 §3.3.
func noRecipient(p Protocol) Reply {
	if p == ESMTP {
		return replyNoRcptSMTP
	}
	return replyNoRcpt
}

// lostData ends a session that broke off in the middle of content: what comes next on the
// connection would be content too.
func (c *conn) lostData(err error) error {
	log := c.log
	if c.tx.envelope != nil { // else it was a chunk out of sequence
		log = log.With("transaction", c.tx.envelope.ID)
	}
	log.Info("content lost", "error", err)
	if errors.Is(err, errTooMuch) {
		c.write(replyTooMuch)
	} else if r := c.timedOut(err); r.Code != 0 {
		c.write(r)
	}
	return err
}
