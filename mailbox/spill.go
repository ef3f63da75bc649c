package mailbox

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/internal/mount"
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
// the others are to get. Nor has that for several file systems, one of which may hang, or for a folder that is yet to
// be made. It goes into a file of the process's own, as it was sent. So does, as on disk, what was to go into a carrier
// whose file system hangs.
type spill struct {
	streams bool // as on disk, into a carrier unless aside
	aside   bool // into a file of the process's own, because the carrier hangs
	carrier *delivery
	written int64  // octets of content on the disk
	sum     uint32 // their checksum

	source    int               // reads the content back; -1 until needed
	at        *mount.FileSystem // where that is
	sourceErr error             // why it does not
	offset    int64             // where the content begins in source
}

// spilled reports whether content has gone to the disk.
func (c *Content) spilled() bool { return c.spill.written > 0 }

// flush moves the content in memory to the disk. After an error no copy can take the content.
func (c *Content) flush() error {
	if !c.spilled() && len(c.message.deliveries) > 0 && !c.spill.streams && c.message.isTogether() &&
		!c.message.makesFolder() {
		c.spill.streams = true
		c.buf = c.ends.put(c.buf[:0], c.buf)
	}
	if !c.spill.streams || c.spill.aside {
		return c.spool()
	}
	err := c.stream()
	if !errors.Is(err, ErrHangs) || c.spilled() {
		return err
	}
	c.spill.aside = true
	return c.spool()
}

// stream moves the content in memory into the carrier, and looks for another carrier when that fails. When it hangs
// there is none: the others are on the same file system.
func (c *Content) stream() error {
	for {
		if c.spill.carrier == nil {
			if err := c.nextCarrier(); err != nil {
				return err
			}
		}
		carrier, piece := c.spill.carrier, c.buf
		err := carrier.alone(func() error { return carrier.Append(piece, nil) }, nil)
		if err == nil {
			c.flushed()
			return nil
		}
		if carrier.stranded {
			carrier.err = err
			c.spill.carrier = nil
			c.leaveBuffer()
			return err
		}
		c.dropCarrier(err)
	}
}

// leaveBuffer leaves the buffer to a system call that hangs, and goes on with another of the same content.
func (c *Content) leaveBuffer() { c.buf = append(c.store.buffers.getLarge(), c.buf...) }

// flushed notes that the content in memory has gone to the disk.
func (c *Content) flushed() {
	c.spill.sum = crc32.Update(c.spill.sum, castagnoli, c.buf)
	c.spill.written += int64(len(c.buf))
	c.buf = c.buf[:0]
}

// spool moves the content in memory into a file that has no name and that only the process can write to. Every copy
// reads it back from there.
func (c *Content) spool() error {
	disk, dir, source, piece := c.store.disk, c.store.opts.Spool, c.spill.source, c.buf
	c.spill.at = c.store.fileSystems.Of(dir, "")
	made, err := alone(c.spill.at, func() (int, error) {
		if source < 0 {
			fd, err := disk.Nameless(dir)
			if err != nil {
				return -1, fmt.Errorf("make a file for large content in %s: %w", dir, err)
			}
			source = fd
		}
		if err := kernel.WriteAll(disk, source, [][]byte{piece}); err != nil {
			return source, fmt.Errorf("write large content in %s: %w", dir, err)
		}
		return source, nil
	}, func() { disk.Shut(source) })
	if errors.Is(err, ErrHangs) {
		c.spill.source = -1 // it belongs to what hangs
		c.leaveBuffer()
		return fmt.Errorf("write large content in %s: %w", dir, err)
	}
	if c.spill.source = made; err != nil {
		return err
	}
	sent := c.buf
	c.flushed()
	if !c.spill.streams {
		c.ends.put(sent[:0], sent) // for the sizes
	}
	return nil
}

// alone has a step taken in a place of a file system, in a goroutine of its own. When that hangs the error is an
// ErrHangs, and late is called as soon as the step has returned.
func alone[V any](at *mount.FileSystem, step func() (V, error), late func()) (V, error) {
	ctx, cancel := context.WithTimeout(context.Background(), pieceTimeout)
	defer cancel()
	return breaker.Ask(ctx, at.Copies, breaker.Question[V]{Do: step, Late: late, Always: true})
}

// nextCarrier makes the first copy that works the carrier.
func (c *Content) nextCarrier() error {
	last := errNoCopy
	for _, f := range c.message.deliveries {
		if f.err != nil {
			last = f.err
			continue
		}
		soFar, crlf := c.spill, c.ends.crlf
		err := f.alone(func() error { return f.load(soFar, crlf) }, func() { c.store.disk.Shut(soFar.source) })
		if err == nil {
			c.spill.carrier = f
			c.shutSource()
			return nil
		}
		if f.stranded {
			f.err = err
			c.spill.source = -1 // it belongs to what hangs
			return err
		}
		f.err = f.drop(err)
		last = f.err
	}
	return last
}

// load brings a copy to where the carrier is: header and content so far.
func (d *delivery) load(soFar spill, crlf bool) error {
	if err := d.open(context.Background()); err != nil {
		return err
	}
	if err := d.Create(); err != nil {
		return err
	}
	if soFar.written > 0 {
		return soFar.copyTo(d.store(), crlf, &d.File)
	}
	return nil
}

// dropCarrier fails the carrier because of err, keeping what it holds within reach. Where that
// fails, copyTo says so to all who are left.
func (c *Content) dropCarrier(err error) {
	f := c.spill.carrier
	if c.spilled() {
		c.openSource()
	}
	f.err = f.drop(err)
	c.spill.carrier = nil
}

// openSource opens the carrier's file for reading. It stays readable when the carrier is
// removed.
func (c *Content) openSource() {
	p, carrier := &c.spill, c.spill.carrier
	p.source, p.at = -1, carrier.fileSystem()
	opened := &spill{source: -1} // of the step alone, until it has returned
	p.sourceErr = carrier.alone(func() (err error) {
		opened.source, opened.offset, err = carrier.Reopen()
		return err
	}, func() { c.store.disk.Shut(opened.source) })
	if p.sourceErr == nil {
		p.source, p.offset = opened.source, opened.offset
	}
}

// shutSource closes the source.
func (c *Content) shutSource() {
	source := c.spill.source
	if source < 0 {
		return
	}
	c.spill.source = -1
	_, _ = alone(c.spill.at, func() (int, error) { c.store.disk.Shut(source); return 0, nil }, nil)
}

// copyTo appends the content read back to f, and makes sure that it is the content.
func (p spill) copyTo(s *Store, crlf bool, f *durable.File) error {
	if p.sourceErr != nil {
		return p.sourceErr
	}
	buf := s.buffers.getLarge()
	defer s.buffers.put(buf)
	ends, sum := lineEnder{crlf: crlf}, uint32(0)
	for done := int64(0); done < p.written; {
		piece, err := p.readBack(s, buf, done)
		if err != nil {
			return fmt.Errorf("read back for %s: %w: %w", f.To, errChanged, err)
		}
		if len(piece) == 0 {
			break
		}
		sum = crc32.Update(sum, castagnoli, piece)
		if done += int64(len(piece)); !p.streams {
			piece = ends.put(buf[:0], piece)
		}
		if done == p.written && !p.streams {
			piece = ends.finish(piece)
		}
		if err := f.Append(piece, nil); err != nil {
			return err
		}
	}
	if sum != p.sum {
		return fmt.Errorf("read back for %s: %w", f.To, errChanged)
	}
	return nil
}

// readBack reads content on the disk from an offset on into buf, with room for an octet before it and for the end
// of the content after it, so that it can be converted in its place.
func (p spill) readBack(s *Store, buf []byte, from int64) ([]byte, error) {
	piece := buf[1:min(int64(cap(buf)-finalOctets), 1+p.written-from)]
	n, err := kernel.Uninterrupted(func() (int, error) { return s.disk.Pread(p.source, piece, p.offset+from) })
	if err != nil {
		return nil, err
	}
	return piece[:n], nil
}
