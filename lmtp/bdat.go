package lmtp

import (
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// maxEmptyChunks is how many chunks without an octet may follow one another.
const maxEmptyChunks = 100

// minSkipped is how much is read for nobody however small a message may be, in octets.
const minSkipped = 64 << 10

// A chunk is one BDAT command (RFC 3030 §2).
//
//	bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ] CRLF
type chunk struct {
	size    int64
	last    bool
	refused Reply // to be given when the octets have been read; Code 0: none
}

// bdat takes a chunk of content. Its octets follow the line whatever is answered, and must
// be read before the answer: they are never commands.
func (c *conn) bdat(args string) Reply {
	size, marker, marked := strings.Cut(args, " ")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || !wire.IsDigits(size) {
		// Where the octets end and commands begin again, nobody can tell.
		return Reply{Code: 501, Enhanced: "5.5.4", Text: "BDAT takes a number of octets", then: hangUp}
	}
	if n/abuseFactor > c.server.MaxMessageSize {
		return replyTooMuch
	}
	b := chunk{size: n, last: marked && wire.EqualFold(marker, "LAST"), refused: c.offer().lacks(0)}
	if marked && !b.last {
		b.refused = badArgument("the only word behind the size is LAST")
	}
	return Reply{then: func(c *conn) error { return c.receiveChunk(b) }}
}

// receiveChunk reads the octets of a chunk and answers it.
func (c *conn) receiveChunk(b chunk) error {
	switch {
	case b.refused.Code != 0:
		return c.refuseChunk(b, b.refused)
	case c.state < stateMail: // RFC 2033 §4.3 is silent here; RFC 3030 §2 has one reply
		return c.refuseChunk(b, replySequence)
	case c.state == stateMail:
		return c.chunkForNobody(b)
	case c.state == stateFailed:
		return c.failedChunk(b)
	}
	return c.takeChunk(b)
}

// takeChunk is a chunk in sequence.
func (c *conn) takeChunk(b chunk) error {
	if c.state == stateRcpt {
		c.beginChunks()
	}
	t := &c.tx.content
	if b.size > 0 {
		t.emptyChunks = 0
	} else if t.emptyChunks++; t.emptyChunks > maxEmptyChunks {
		c.log.Info("session ended", "limit", "empty_chunks", "value", maxEmptyChunks)
		c.write(replyTooMany)
		return errHangUp
	}
	if err := c.readChunk(b, t.writeChunk); err != nil {
		return err
	}
	if b.last {
		t.endChunks()
		return c.finish(t.err)
	}
	if t.err != nil {
		c.fail(t.err)
		c.write(refusal(t.err, c.tx.envelope.ID))
		return nil
	}
	c.write(Reply{Code: 250, Enhanced: "2.0.0", Text: strconv.FormatInt(b.size, 10) + " octets"})
	return nil
}

// beginChunks begins a message that comes in chunks. Unless it is declared to be binary, it
// is text, and the same rules hold for its line ends as for DATA.
func (c *conn) beginChunks() {
	t := c.newContent()
	if c.tx.envelope.Body != binaryMIME {
		t.lines = &wire.LineScanner{Emit: t.write, Normalize: c.server.NormalizeBareLF}
	}
	c.state = stateChunk
}

// writeChunk takes octets of a chunk.
func (t *content) writeChunk(p []byte) {
	if t.lines == nil {
		t.write(p)
		return
	}
	t.lines.Scan(p)
}

// endChunks is the end of the last chunk.
func (t *content) endChunks() {
	if t.lines != nil {
		t.lines.End()
		t.checkLineEnds(t.lines.BareLF, t.lines.BareCR)
	}
}

// mayNotSkip ends a session that sends more for nobody than a client can have sent before it saw a refusal:
// outside of a transaction one message, and in one the most that is read of any.
func (c *conn) mayNotSkip(octets int64) bool {
	most := max(c.server.MaxMessageSize, minSkipped)
	if c.state >= stateMail {
		most *= abuseFactor
	}
	c.count.skipped += octets // no overflow: bdat bounds a chunk, and the first beyond the bound is the last
	if c.count.skipped <= most {
		return false
	}
	c.log.Info("session ended", "limit", "skipped_chunks", "value", most)
	c.write(replyTooMuch)
	return true
}

// chunkForNobody is a chunk of a transaction without accepted recipients. LMTP answers the
// last one once for each of them, which is not at all (RFC 2033 §4.3): a client that
// pipelined it counts on that.
func (c *conn) chunkForNobody(b chunk) error {
	if b.last && c.session.Protocol == LMTP {
		if c.count.idleCommands++; c.count.idleCommands > maxIdleCommands { // it has no reply that would count
			c.write(c.budget(Reply{}))
			return errHangUp
		}
		err := c.skipChunk(b)
		c.abort(nil)
		return err
	}
	return c.refuseChunk(b, c.noRecipient())
}

// failedChunk is a chunk behind one that failed: it is read, and its recipients are told so
// at the end, which is also the end of the transaction.
func (c *conn) failedChunk(b chunk) error {
	if !b.last {
		return c.refuseChunk(b, replySequence)
	}
	if err := c.skipChunk(b); err != nil {
		return err
	}
	replies := c.tx.accepted
	if c.session.Protocol == ESMTP {
		replies = 1
	}
	for range replies {
		c.write(replySequence)
	}
	c.abort(nil)
	return nil
}

// refuseChunk reads a chunk and gives one reply. A refused chunk fails its transaction.
func (c *conn) refuseChunk(b chunk, r Reply) error {
	if err := c.skipChunk(b); err != nil {
		return err
	}
	if c.state == stateRcpt || c.state == stateChunk {
		c.fail(errSequence)
	}
	r = c.budget(r)
	c.write(r)
	if r.then != nil {
		return r.then(c)
	}
	return nil
}

// skipChunk reads the octets of a chunk for nobody. They must have come within a time that is set once: an
// octet now and then would keep the session for ever, before it has said who it is.
func (c *conn) skipChunk(b chunk) error {
	if c.mayNotSkip(b.size) {
		return errHangUp
	}
	switch {
	case c.state < stateMail:
		c.tx.wholeBy = time.Now().Add(c.server.DataTimeout)
		defer func() { c.tx.wholeBy = time.Time{} }()
	case c.tx.wholeBy.IsZero(): // until the transaction ends
		c.tx.wholeBy = time.Now().Add(c.server.TransferTimeout)
	}
	return c.readChunk(b, func([]byte) {})
}

// readChunk reads the octets of a chunk.
func (c *conn) readChunk(b chunk, take func([]byte)) error {
	if err := c.in.ReadCount(b.size, take); err != nil {
		return c.lostData(err)
	}
	if c.tx.content.tooMuch != nil {
		return c.lostData(c.tx.content.tooMuch)
	}
	return nil
}
