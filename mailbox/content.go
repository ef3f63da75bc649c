package mailbox

import (
	"errors"
	"io"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// errStreamed says that content cannot be read back, because it went into a Maildir while it came.
var errStreamed = errors.New("content went straight into a Maildir")

// A Content is what a message says, taken before it must be known where it goes: in memory, and beyond
// 128 KiB on the disk. One goroutine uses it.
//
//	content := store.NewContent()
//	defer content.Close()
//	io.Copy(content, r)                // as sent, with CRLF line ends
//	read, err := content.ReaderAt()    // for those who must look at it first
//	content.Deliver(copies...).Commit(ctx, done)
//
// Deliver may come earlier, before the content is complete. Large content then goes straight into
// the first copy's tmp/ and is written once instead of twice, but cannot be read back.
type Content struct {
	store *Store
	size  int64

	// buf holds the octets that are in no file yet. They are as sent, until the content is converted
	// for its copies: when that begins to stream into one, or is complete.
	buf      []byte
	ends     lineEnder
	spill    spill
	sent     []byte // what is in memory as it was sent, where buf is converted and it is still read
	readable bool   // by ReaderAt
	complete bool   // nothing is written any more
	err      error  // why it takes no more

	message Message
}

// finalOctets is the room in memory that the end of the content may need.
const finalOctets = 2

// NewContent begins the content of a message. Close must be called in the end.
func (s *Store) NewContent() *Content {
	c := &Content{store: s, ends: lineEnder{crlf: s.opts.CRLF}, spill: spill{source: -1}}
	c.message.content = c
	return c
}

// Write takes content as sent, with CRLF line ends. It fails when nothing can take the content any more: the spool
// directory, or if the copies are named already every one of them. Their outcomes say so too.
func (c *Content) Write(p []byte) (int, error) {
	taken := 0
	for taken < len(p) {
		if c.err == nil && c.complete {
			c.err = errEnded
		}
		if c.err != nil {
			return taken, c.err
		}
		room := cap(c.buf) - len(c.buf) - finalOctets - 1 // put may bring one octet more
		if room <= 0 {
			c.err = guard.Call(c.makeRoom)
			continue
		}
		piece := p[taken:min(len(p), taken+room)]
		if c.spill.streams {
			c.buf = c.ends.put(c.buf, piece)
		} else {
			c.buf = append(c.buf, piece...)
		}
		c.size += int64(len(piece))
		taken += len(piece)
	}
	return taken, nil
}

// makeRoom takes a larger buffer or, when there is none, empties it onto the disk.
func (c *Content) makeRoom() error {
	switch cap(c.buf) {
	case 0:
		c.buf = c.store.buffers.getSmall()
	case smallBuffer:
		large := append(c.store.buffers.getLarge(), c.buf...)
		c.store.buffers.put(c.buf)
		c.buf = large
	default:
		return c.flush()
	}
	return nil
}

// end takes no more content.
func (c *Content) end() {
	if c.complete {
		return
	}
	c.complete = true
	switch {
	case c.err != nil || !c.spilled():
	case c.spill.streams:
		c.buf = c.ends.finish(c.buf)
		c.err = c.flush()
	default:
		c.err = c.flush()
		var scratch [finalOctets]byte
		c.ends.finish(scratch[:0]) // for the sizes
	}
}

// convert makes the content in memory what the files get. What was sent stays where it is still read.
func (c *Content) convert() {
	if c.spilled() || c.err != nil {
		return
	}
	disk := c.buf[:0]
	if c.readable && cap(c.buf) > 0 {
		c.sent = c.buf
		if disk = c.store.buffers.getSmall(); cap(c.buf) == largeBuffer {
			c.store.buffers.put(disk)
			disk = c.store.buffers.getLarge()
		}
	}
	c.buf = c.ends.finish(c.ends.put(disk, c.buf))
}

// finish makes the content complete, and ready for its copies. Its error is that no copy can take it.
func (c *Content) finish() error {
	c.end()
	c.convert()
	return c.err
}

// Size is the number of octets written so far, as sent.
func (c *Content) Size() int64 { return c.size }

// ReaderAt ends the content, and reads what was sent, octet for octet. It is called before Commit, and can be read
// until Close, also while the copies are delivered.
func (c *Content) ReaderAt() (*io.SectionReader, error) {
	if c.spill.streams {
		return nil, errStreamed
	}
	if c.message.ended {
		return nil, errEnded
	}
	c.readable = true
	c.end()
	if c.err != nil {
		return nil, c.err
	}
	return io.NewSectionReader((*sentContent)(c), 0, c.size), nil
}

// sentContent reads content as it was sent.
type sentContent Content

func (c *sentContent) ReadAt(p []byte, off int64) (int, error) {
	if c.spill.source >= 0 {
		n, err := kernel.Uninterrupted(func() (int, error) { return c.store.disk.Pread(c.spill.source, p, off) })
		if err == nil && n < len(p) {
			err = io.EOF // or a short read, which SectionReader's users must expect
		}
		return max(n, 0), err
	}
	sent := c.sent
	if sent == nil {
		sent = c.buf
	}
	n := copy(p, sent[min(off, int64(len(sent))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fileContent is the content for the files of its copies.
type fileContent Content

func (c *fileContent) Memory() ([]byte, bool) { return c.buf, !(*Content)(c).spilled() }

func (c *fileContent) CopyTo(f *durable.File) error { return c.spill.copyTo(c.store, c.ends.crlf, f) }

func (c *fileContent) Sizes() maildir.Sizes { return c.ends.sizes }

// Deliver names the copies of the content. Commit or CommitSets of the Message delivers them, when the content is
// complete. What is wrong with a copy is reported there.
func (c *Content) Deliver(copies ...Copy) *Message {
	c.message.add(copies)
	return &c.message
}

// Close drops the copies that were not committed, and releases memory and spool file. It does nothing the second
// time.
func (c *Content) Close() {
	c.message.abort()
	c.complete = true
	c.shutSource()
	c.store.buffers.put(c.buf)
	c.store.buffers.put(c.sent)
	c.buf, c.sent = nil, nil
}
