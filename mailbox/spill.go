package mailbox

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/internal/guard"
)

// errChanged says that content read back is not what was written. The kernel does that after
// a failed write-back: it drops the pages and reads old blocks.
var errChanged = errors.New("content read back differs from what was written")

// errNoCopy says that a message has nobody to go to.
var errNoCopy = errors.New("message has no copy to be written to")

// castagnoli is the polynomial processors have an instruction for.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A spill is content too large for memory. It goes straight into the file of one copy, the
// carrier; the others read it back from there. Should the carrier fail, only it fails: the
// next copy takes over with the content so far.
//
// Copies of several owners have no carrier: its owner could change what the others are to get.
// Their content goes into a file of the process's own.
type spill struct {
	carrier *mailfile
	written int64  // octets of content in the carrier's file
	sum     uint32 // their checksum

	source    int   // reads the content back; -1 until needed
	sourceErr error // why it does not
	offset    int64 // where the content begins in source
}

// spilled reports whether content has gone to the disk.
func (m *Message) spilled() bool { return m.spill.written > 0 }

// flush moves the content in memory into the carrier, and looks for another carrier when
// that fails. After an error no copy can take the content.
func (m *Message) flush() error {
	if m.ownersDiffer() {
		return m.spool()
	}
	for {
		if m.spill.carrier == nil {
			if err := m.nextCarrier(); err != nil {
				return err
			}
		}
		err := guard.Call(func() error { return m.spill.carrier.append(m.buf, nil) })
		if err == nil {
			m.flushed()
			return nil
		}
		m.dropCarrier(err)
	}
}

// flushed notes that the content in memory has gone to the disk.
func (m *Message) flushed() {
	m.spill.sum = crc32.Update(m.spill.sum, castagnoli, m.buf)
	m.spill.written += int64(len(m.buf))
	m.buf = m.buf[:0]
}

// nextCarrier makes the first copy that works the carrier.
func (m *Message) nextCarrier() error {
	last := errNoCopy
	for _, f := range m.files {
		if f.err != nil {
			last = f.err
			continue
		}
		err := guard.Call(func() error { return m.load(f) })
		if err == nil {
			m.spill.carrier = f
			m.spill.shut(m.store)
			return nil
		}
		f.err = f.withdraw(err)
		last = f.err
	}
	return last
}

// load brings a copy to where the carrier is: header and content so far.
func (m *Message) load(f *mailfile) error {
	if err := f.open(context.Background()); err != nil {
		return err
	}
	if err := f.create(); err != nil {
		return err
	}
	if m.spilled() {
		return m.spill.copyTo(f)
	}
	return f.append(f.header, nil)
}

// dropCarrier fails the carrier because of err, keeping what it holds within reach. Where that
// fails, copyTo says so to all who are left.
func (m *Message) dropCarrier(err error) {
	f := m.spill.carrier
	if m.spilled() {
		m.spill.openSource()
	}
	f.err = f.withdraw(err)
	m.spill.carrier = nil
}

// openSource opens the carrier's file for reading. It stays readable when the carrier is
// removed.
func (p *spill) openSource() {
	f := p.carrier
	sys := f.store().sys
	fd := -1
	err := f.asOwner(func(f *mailfile) (err error) {
		// Not to wait, should something else stand there by now: a FIFO.
		fd, err = uninterrupted(func() (int, error) {
			return sys.openat(f.dir.tmp, f.tmpName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		})
		return err
	})
	if err != nil {
		p.sourceErr = f.failed("read back", err)
		return
	}
	p.source, p.offset = fd, int64(len(f.header))
}

// shut closes the source.
func (p *spill) shut(s *Store) {
	source := p.source
	p.source = -1
	s.shut(source)
}

// copyTo writes f's header and the content read back, and makes sure that it is the content.
func (p *spill) copyTo(f *mailfile) error {
	if p.sourceErr != nil {
		return p.sourceErr
	}
	if err := f.append(f.header, nil); err != nil {
		return err
	}
	s := f.store()
	buf := s.buffers.getLarge()
	defer s.buffers.put(buf)
	sum := uint32(0)
	for done := int64(0); done < p.written; {
		piece := buf[:min(largeBuffer, p.written-done)]
		n, err := uninterrupted(func() (int, error) { return s.sys.pread(p.source, piece, p.offset+done) })
		if err != nil {
			return fmt.Errorf("read back for %s: %w: %w", f.to, errChanged, err)
		}
		if n == 0 {
			break
		}
		sum = crc32.Update(sum, castagnoli, piece[:n])
		if err := f.append(piece[:n], nil); err != nil {
			return err
		}
		done += int64(n)
	}
	if sum != p.sum {
		return fmt.Errorf("read back for %s: %w", f.to, errChanged)
	}
	return nil
}
