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
	c       *conn
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
	b := chunk{c: c, size: n, last: marked && wire.EqualFold(marker, "LAST"), refused: c.offer().lacks(0)}
	if marked && !b.last {
		b.refused = badArgument("the only word after the size is LAST")
	}
	return Reply{then: func(*conn) error { return b.receive() }}
}

// receive reads the octets of a chunk and answers it.
func (b chunk) receive() error {
	switch {
	case b.refused.Code != 0:
		return b.refuse(b.refused)
	case b.c.state < stateMail: // RFC 2033 §4.3 is silent here; RFC 3030 §2 has one reply
		return b.refuse(replySequence)
	case b.c.state == stateMail:
		return b.withoutRecipients()
	case b.c.state == stateFailed:
		return b.afterFailure()
	}
	return b.take()
}

// take is a chunk in sequence.
func (b chunk) take() error {
	if b.c.state == stateRcpt {
		b.begin()
	}
	t := &b.c.tx.content
	if b.size > 0 {
		t.emptyChunks = 0
	} else if t.emptyChunks++; t.emptyChunks > maxEmptyChunks {
		b.c.log.Info("session ended", "limit", "empty_chunks", "value", maxEmptyChunks)
		b.c.write(replyTooMany)
		return errHangUp
	}
	if err := b.read(t.writeChunk); err != nil {
		return err
	}
	if b.last {
		t.endChunks()
		return b.c.finish(t.err)
	}
	if t.err != nil {
		b.c.fail(t.err)
		b.c.write(refusal(t.err, b.c.tx.envelope.ID))
		return nil
	}
	b.c.write(Reply{Code: 250, Enhanced: "2.0.0", Text: strconv.FormatInt(b.size, 10) + " octets"})
	return nil
}

// begin begins a message that comes in chunks. Unless it is declared to be binary, it
// is text, and the same rules hold for its line ends as for DATA.
func (b chunk) begin() {
	t := b.c.newContent()
	if b.c.tx.envelope.Body != binaryMIME {
		t.lines = &wire.LineScanner{Emit: t.write, Normalize: b.c.server.Syntax.NormalizeBareLF}
	}
	b.c.state = stateChunk
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

// mayNotSkip reports whether the client has sent more to be dropped than it can have sent before it saw a refusal:
// outside of a transaction one message, and in one the most that is read of any. If so it writes the reply that ends
// the session.
func (b chunk) mayNotSkip() bool {
	most := max(b.c.server.Limits.MessageSize, minSkipped)
	if b.c.state >= stateMail {
		most *= abuseFactor
	}
	b.c.count.skipped += b.size // no overflow: bdat bounds a chunk, and the first beyond the bound is the last
	if b.c.count.skipped <= most {
		return false
	}
	b.c.log.Info("session ended", "limit", "skipped_chunks", "value", most)
	b.c.write(replyTooMuch)
	return true
}

// withoutRecipients is a chunk of a transaction without accepted recipients. LMTP answers the
// last one once for each of them, which is not at all (RFC 2033 §4.3): a client that
// pipelined it counts on that.
func (b chunk) withoutRecipients() error {
	if b.last && b.c.session.Protocol == LMTP {
		if b.c.count.idleCommands++; b.c.count.idleCommands > maxIdleCommands { // it has no reply that would count
			b.c.write(b.c.budget(Reply{}))
			return errHangUp
		}
		err := b.skip()
		b.c.abort(nil)
		return err
	}
	return b.refuse(noRecipient(b.c.session.Protocol))
}

// afterFailure is a chunk after one that failed: it is read, and the last one is refused for each recipient, which
// ends the transaction.
func (b chunk) afterFailure() error {
	if !b.last {
		return b.refuse(replySequence)
	}
	if err := b.skip(); err != nil {
		return err
	}
	replies := b.c.tx.accepted
	if b.c.session.Protocol == ESMTP {
		replies = 1
	}
	for range replies {
		b.c.write(replySequence)
	}
	b.c.abort(nil)
	return nil
}

// refuse reads a chunk and returns one reply. A refused chunk fails its transaction.
func (b chunk) refuse(r Reply) error {
	if err := b.skip(); err != nil {
		return err
	}
	if b.c.state == stateRcpt || b.c.state == stateChunk {
		b.c.fail(errSequence)
	}
	r = b.c.budget(r)
	b.c.write(r)
	if r.then != nil {
		return r.then(b.c)
	}
	return nil
}

// skip reads the octets of a chunk and drops them. They must have come within a time that is set once: an
// octet now and then would keep the session for ever, before it has said who it is.
func (b chunk) skip() error {
	if b.mayNotSkip() {
		return errHangUp
	}
	drop := func() error { return b.read(func([]byte) {}) }
	if b.c.state < stateMail {
		return b.c.nc.within(b.c.server.Timeouts.Data, drop)
	}
	if !b.c.nc.inContent {
		b.c.nc.beginContent()
	}
	return drop()
}

// read reads the octets of a chunk.
func (b chunk) read(take func([]byte)) error {
	if err := b.c.in.ReadCount(b.size, take); err != nil {
		return b.c.lostData(err)
	}
	if b.c.tx.content.tooMuch != nil {
		return b.c.lostData(b.c.tx.content.tooMuch)
	}
	return nil
}
