package lmtp

import (
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// maxEmptyChunks is how many chunks without an octet may follow one another.
const maxEmptyChunks = 100

// minSkipped is how much is read and dropped however small a message may be, in octets.
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
		// Where the octets end and commands begin again cannot be known.
		return Reply{Code: 501, Enhanced: "5.5.4", Text: "BDAT takes a number of octets", then: hangUp}
	}
	if n/abuseFactor > c.server.Limits.MessageSize {
		return replyTooMuch
	}
	b := chunk{size: n, last: marked && wire.EqualFold(marker, "LAST"), refused: c.offer().lacks(0)}
	switch {
	case marked && !b.last:
		b.refused = badArgument("the only word after the size is LAST")
	case b.refused.Code == 0 && c.state < stateMail: // RFC 2033 §4.3 is silent here; RFC 3030 §2 has one reply
		b.refused = replySequence
	}
	return Reply{then: b.in(c.state)}
}

// in returns what reads the octets of a chunk and answers it, in a state of the session.
func (b chunk) in(s state) func(*conn) error {
	switch {
	case b.refused.Code != 0:
		return b.refuse
	case s == stateMail:
		return b.withoutRecipients
	case s == stateFailed:
		return b.afterFailure
	}
	return b.take
}

// take is a chunk in sequence.
func (b chunk) take(c *conn) error {
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
	if err := b.read(c, t.take); err != nil {
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
	t.take = t.write
	if c.tx.envelope.Body != binaryMIME {
		t.lines = &wire.LineScanner{Emit: t.write, Normalize: c.server.Syntax.NormalizeBareLF}
		t.take = t.lines.Scan
	}
	c.state = stateChunk
}

// endChunks is the end of the last chunk.
func (t *content) endChunks() {
	if t.lines != nil {
		t.lines.End()
		t.checkLineEnds(t.lines.BareLF, t.lines.BareCR)
	}
}

// mayNotSkip reports whether the client has sent more to be dropped than it can have sent before it saw a refusal:
// outside of a transaction one message, and in one the most that is read of any. If so it writes the reply that ends
// the session.
func (b chunk) mayNotSkip(c *conn) bool {
	most := max(c.server.Limits.MessageSize, minSkipped)
	if c.state >= stateMail {
		most *= abuseFactor
	}
	c.count.skipped += b.size // no overflow: bdat bounds a chunk, and the first beyond the bound is the last
	if c.count.skipped <= most {
		return false
	}
	c.log.Info("session ended", "limit", "skipped_chunks", "value", most)
	c.write(replyTooMuch)
	return true
}

// withoutRecipients is a chunk of a transaction without accepted recipients. LMTP answers the
// last one once for each of them, which is not at all (RFC 2033 §4.3): a client that
// pipelined it counts on that.
func (b chunk) withoutRecipients(c *conn) error {
	if b.last && c.session.Protocol == LMTP {
		if c.count.idleCommands++; c.count.idleCommands > maxIdleCommands { // it has no reply that would count
			c.write(c.budget(Reply{}))
			return errHangUp
		}
		err := b.skip(c)
		c.abort(nil)
		return err
	}
	b.refused = noRecipient(c.session.Protocol)
	return b.refuse(c)
}

// afterFailure is a chunk after one that failed: it is read, and the last one is refused for each recipient, which
// ends the transaction.
func (b chunk) afterFailure(c *conn) error {
	if !b.last {
		b.refused = replySequence
		return b.refuse(c)
	}
	if err := b.skip(c); err != nil {
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

// refuse reads a chunk and answers it. A refused chunk fails its transaction.
func (b chunk) refuse(c *conn) error {
	if err := b.skip(c); err != nil {
		return err
	}
	if c.state == stateRcpt || c.state == stateChunk {
		c.fail(errSequence)
	}
	r := c.budget(b.refused)
	c.write(r)
	if r.then != nil {
		return r.then(c)
	}
	return nil
}

// skip reads the octets of a chunk and drops them. They must have come within a time that is set once: an
// octet now and then would keep the session for ever, before it has said who it is.
func (b chunk) skip(c *conn) error {
	if b.mayNotSkip(c) {
		return errHangUp
	}
	drop := func() error { return b.read(c, func([]byte) {}) }
	if c.state < stateMail {
		return c.nc.within(c.server.Timeouts.Data, drop)
	}
	if !c.nc.inContent {
		c.nc.beginContent()
	}
	return drop()
}

// read reads the octets of a chunk.
func (b chunk) read(c *conn, take func([]byte)) error {
	if err := c.in.ReadCount(b.size, take); err != nil {
		return c.lostData(err)
	}
	if c.tx.content.tooMuch != nil {
		return c.lostData(c.tx.content.tooMuch)
	}
	return nil
}
