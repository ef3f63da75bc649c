package lmtp

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

const (
	// maxLine is the longest command line, CRLF included. RFC 5321 §4.5.3.1.4 asks for 512
	// and RFC 3461 §5.4 for 1036; long internationalized addresses with ORCPT need more.
	maxLine = 4096
	// maxSkipped is how much of an overlong line is dropped in hope of its end.
	maxSkipped = 64 << 10
	// contentBuffer is the buffer while content is read: one read(2) for a usual message.
	contentBuffer = 64 << 10
)

var (
	errLineTooLong = errors.New("command line too long")
	errLineEnd     = errors.New("bare CR or LF in a command line")
	errFlood       = errors.New("no end of line in sight")
)

// A reader is the one way in for octets of the peer. It buffers; between commands its buffer
// is small, so that ten thousand idle sessions are cheap, and while content comes it is large.
type reader struct {
	src io.Reader
	// wait runs before every read that may block: replies are flushed and a deadline is set.
	wait func() error

	buf   []byte  // small, or a content buffer
	r, w  int     // buf[r:w] is unread
	large *[]byte // the content buffer while it is in use
	small [maxLine]byte
}

var contentBuffers = sync.Pool{New: func() any { b := make([]byte, contentBuffer); return &b }}

func newReader(src io.Reader, wait func() error) *reader {
	r := &reader{src: src, wait: wait}
	r.buf = r.small[:]
	return r
}

// fill reads more, at least one octet. The caller has made sure that there is room.
func (r *reader) fill() error {
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	if err := r.wait(); err != nil {
		return err
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil // an error comes again with the next read
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// readLine reads a command line of at most maxLine octets and returns it without its CRLF,
// valid until the next call. Only CRLF ends a line (RFC 5321 §2.3.8): errLineEnd is a line
// with a CR or LF elsewhere. errLineTooLong has read the whole line; errFlood has not.
func (r *reader) readLine() ([]byte, error) {
	r.shrink()
	return r.readLineOf(maxLine)
}

// readLineOf is readLine for another limit. The buffer is not smaller than that.
func (r *reader) readLineOf(limit int) ([]byte, error) {
	for scanned := 0; ; {
		if n := endOfLine(r.buf[r.r:r.w], scanned); n >= 0 {
			line := r.buf[r.r : r.r+n]
			r.r += n + len("\r\n")
			if n+len("\r\n") > limit {
				return nil, errLineTooLong
			}
			if bytes.ContainsAny(line, "\r\n") {
				return nil, errLineEnd
			}
			return line, nil
		}
		scanned = max(r.w-r.r-1, 0) // the last octet may be the CR of a CRLF
		if r.w-r.r >= limit {
			return nil, r.skipLine()
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// readAuthLine reads a line of an authentication, which may be longer than a command.
func (r *reader) readAuthLine() ([]byte, error) {
	r.grow()
	defer r.shrink()
	line, err := r.readLineOf(maxAuthLine)
	return bytes.Clone(line), err
}

// buffered is how many octets have come that nobody has read.
func (r *reader) buffered() int { return r.w - r.r }

// restart goes on with another source, and gives what of the old one is unread.
func (r *reader) restart(src io.Reader) (unread []byte) {
	unread = bytes.Clone(r.buf[r.r:r.w])
	r.r, r.w = 0, 0
	r.src = src
	return unread
}

// skipLine drops the rest of an overlong line.
func (r *reader) skipLine() error {
	for skipped := 0; skipped < maxSkipped; {
		if n := endOfLine(r.buf[r.r:r.w], 0); n >= 0 {
			r.r += n + len("\r\n")
			return errLineTooLong
		}
		keep := 0
		if r.w > r.r && r.buf[r.w-1] == '\r' {
			keep = 1
		}
		skipped += r.w - r.r - keep
		r.r = r.w - keep
		if err := r.fill(); err != nil {
			return err
		}
	}
	return errFlood
}

// endOfLine finds the first CRLF of p whose LF is not before from.
func endOfLine(p []byte, from int) int {
	for from < len(p) {
		n := bytes.IndexByte(p[from:], '\n')
		if n < 0 {
			return -1
		}
		lf := from + n
		if lf > 0 && p[lf-1] == '\r' {
			return lf - 1
		}
		from = lf + 1
	}
	return -1
}

// readDots reads DATA content up to its end through d, which hands it on.
func (r *reader) readDots(d *dotDecoder) error {
	r.grow()
	defer r.shrink()
	for {
		n, done := d.decode(r.buf[r.r:r.w])
		r.r += n
		if done {
			return nil
		}
		if d.giveUp != nil {
			return d.giveUp
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// readCount reads n octets and hands them on in parts.
func (r *reader) readCount(n int64, take func([]byte)) error {
	if n > int64(r.w-r.r) {
		r.grow()
		defer r.shrink()
	}
	for n > 0 {
		if r.r == r.w {
			if err := r.fill(); err != nil {
				return err
			}
		}
		part := r.buf[r.r:min(int64(r.w), int64(r.r)+n)]
		take(part)
		r.r += len(part)
		n -= int64(len(part))
	}
	return nil
}

// grow makes the buffer large for content.
func (r *reader) grow() {
	if r.large == nil {
		r.large = contentBuffers.Get().(*[]byte)
		r.swap(*r.large)
	}
}

// shrink makes it small again, unless more than a small buffer holds was pipelined behind
// the content; then the next line tries again.
func (r *reader) shrink() {
	if r.large != nil && r.w-r.r <= maxLine {
		r.swap(r.small[:])
		contentBuffers.Put(r.large)
		r.large = nil
	}
}

func (r *reader) swap(buf []byte) {
	r.w = copy(buf, r.buf[r.r:r.w])
	r.r = 0
	r.buf = buf
}

// release gives a large buffer back when the session ends.
func (r *reader) release() {
	r.r, r.w = 0, 0
	r.shrink()
}
