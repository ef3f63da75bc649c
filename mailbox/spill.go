package mailbox

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// errChanged says that content read back is not what was written. The kernel does that after
// a failed write-back: it drops the pages and reads old blocks.
var errChanged = errors.New("content read back differs from what was written")

// errNoCopy says that a message has no copy.
var errNoCopy = errors.New("message has no copy to be written to")

// castagnoli is the polynomial processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A spill is content too large for memory. When its copies are named by then it goes straight into the file of
// one of them, the carrier; the others read it back from there. Should the carrier fail, only it fails: the
// next copy takes over with the content so far.
//
// Content whose copies are not named yet, and that of several owners, has no carrier: its owner could change what
// the others are to get. It goes into a file of the process's own, as it was sent.
type spill struct {
	streams bool // into a carrier, as on disk
	carrier *delivery
	written int64  // octets of content on the disk
	sum     uint32 // their checksum

	source    int   // reads the content back; -1 until needed
	sourceErr error // why it does not
	offset    int64 // where the content begins in source
}

// spilled reports whether content has gone to the disk.
func (c *Content) spilled() bool { return c.spill.written > 0 }

// flush moves the content in memory to the disk. After an error no copy can take the content.
func (c *Content) flush() error {
	if !c.spilled() && len(c.message.deliveries) > 0 && c.message.hasOneOwner() && !c.spill.streams {
		c.spill.streams = true
		c.buf = c.ends.put(c.buf[:0], c.buf)
	}
	if c.spill.streams {
		return c.stream()
	}
	return c.spool()
}

// stream moves the content in memory into the carrier, and looks for another carrier when that fails.
func (c *Content) stream() error {
	for {
		if c.spill.carrier == nil {
			if err := c.nextCarrier(); err != nil {
				return err
			}
		}
		err := guard.Call(func() error { return c.spill.carrier.Append(c.buf, nil) })
		if err == nil {
			c.flushed()
			return nil
		}
		c.dropCarrier(err)
	}
}

// flushed notes that the content in memory has gone to the disk.
func (c *Content) flushed() {
	c.spill.sum = crc32.Update(c.spill.sum, castagnoli, c.buf)
	c.spill.written += int64(len(c.buf))
	c.buf = c.buf[:0]
}

// spool moves the content in memory, as it was sent, into a file that has no name and that only the process can
// write to. Every copy reads it back from there.
func (c *Content) spool() error {
	disk, dir := c.store.disk, c.store.opts.Spool
	if c.spill.source < 0 {
		fd, err := disk.Nameless(dir)
		if err != nil {
			return fmt.Errorf("make a file for large content in %s: %w", dir, err)
		}
		c.spill.source = fd
	}
	if err := kernel.WriteAll(disk, c.spill.source, [][]byte{c.buf}); err != nil {
		return fmt.Errorf("write large content in %s: %w", dir, err)
	}
	sent := c.buf
	c.flushed()
	c.ends.put(sent[:0], sent) // for the sizes
	return nil
}

// nextCarrier makes the first copy that works the carrier.
func (c *Content) nextCarrier() error {
	last := errNoCopy
	for _, f := range c.message.deliveries {
		if f.err != nil {
			last = f.err
			continue
		}
		err := guard.Call(func() error { return c.load(f) })
		if err == nil {
			c.spill.carrier = f
			c.spill.shut(c.store)
			return nil
		}
		f.err = f.withdraw(err)
		last = f.err
	}
	return last
}

// load brings a copy to where the carrier is: header and content so far.
func (c *Content) load(d *delivery) error {
	if err := d.open(context.Background()); err != nil {
		return err
	}
	if err := d.Create(); err != nil {
		return err
	}
	if c.spilled() {
		return c.copyTo(&d.File)
	}
	return nil
}

// dropCarrier fails the carrier because of err, keeping what it holds within reach. Where that
// fails, copyTo says so to all who are left.
func (c *Content) dropCarrier(err error) {
	f := c.spill.carrier
	if c.spilled() {
		c.spill.openSource()
	}
	f.err = f.withdraw(err)
	c.spill.carrier = nil
}

// openSource opens the carrier's file for reading. It stays readable when the carrier is
// removed.
func (p *spill) openSource() {
	p.sourceErr = guard.Call(func() (err error) {
		p.source, p.offset, err = p.carrier.Reopen()
		return err
	})
}

// shut closes the source.
func (p *spill) shut(s *Store) {
	source := p.source
	p.source = -1
	s.disk.Shut(source)
}

// copyTo appends the content read back to f, and makes sure that it is the content.
func (c *Content) copyTo(f *durable.File) error {
	if c.spill.sourceErr != nil {
		return c.spill.sourceErr
	}
	buf := c.store.buffers.getLarge()
	defer c.store.buffers.put(buf)
	ends, sum := lineEnder{crlf: c.ends.crlf}, uint32(0)
	for done := int64(0); done < c.spill.written; {
		piece, err := c.readBack(buf, done)
		if err != nil {
			return fmt.Errorf("read back for %s: %w: %w", f.To, errChanged, err)
		}
		if len(piece) == 0 {
			break
		}
		sum = crc32.Update(sum, castagnoli, piece)
		if done += int64(len(piece)); !c.spill.streams {
			piece = ends.put(buf[:0], piece)
		}
		if done == c.spill.written && !c.spill.streams {
			piece = ends.finish(piece)
		}
		if err := f.Append(piece, nil); err != nil {
			return err
		}
	}
	if sum != c.spill.sum {
		return fmt.Errorf("read back for %s: %w", f.To, errChanged)
	}
	return nil
}

// readBack reads content on the disk from an offset on into buf, with room for an octet before it and for the end
// of the content after it, so that it can be converted in its place.
func (c *Content) readBack(buf []byte, from int64) ([]byte, error) {
	piece := buf[1:min(int64(cap(buf)-finalOctets), 1+c.spill.written-from)]
	n, err := kernel.Uninterrupted(func() (int, error) {
		return c.store.disk.Pread(c.spill.source, piece, c.spill.offset+from)
	})
	if err != nil {
		return nil, err
	}
	return piece[:n], nil
}
