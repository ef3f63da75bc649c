package wire

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Limits of what is read, in octets.
const (
	// MaxAuthLine is the longest line of an authentication, CRLF included (RFC 4954 §4).
	MaxAuthLine = 12288
	// MaxLine is the longest command line, CRLF included. RFC 5321 §4.5.3.1.4 asks for 512
	// and RFC 3461 §5.4 for 1036; long internationalized addresses with ORCPT need more.
	MaxLine = 4096
	// MaxSkipped is how much of an overlong line is dropped in hope of its end.
	MaxSkipped = 64 << 10
	// contentBuffer is the buffer while content is read: one read(2) for a usual message.
	contentBuffer = 64 << 10
)

// What is wrong with a line.
var (
	ErrLineTooLong = errors.New("command line too long")           // it has been read to its end
	ErrLineEnd     = errors.New("bare CR or LF in a command line") // so has this
	ErrFlood       = errors.New("no end of line in sight")         // the rest of the line is unread
)

// A Reader is the one way in for octets of the peer. It buffers; between commands its buffer
// is small, so that ten thousand idle sessions are cheap, and while content comes it is large.
type Reader struct {
	src io.Reader
	// wait runs before every read that may block: replies are flushed and a deadline is set.
	wait func() error

	buf   []byte  // small, or a content buffer
	r, w  int     // buf[r:w] is unread
	large *[]byte // the content buffer while it is in use
	small [MaxLine]byte
}

var contentBuffers = sync.Pool{New: func() any { b := make([]byte, contentBuffer); return &b }}

// NewReader reads from src; wait runs before each read that may block, and its error is that of the read.
func NewReader(src io.Reader, wait func() error) *Reader {
	r := &Reader{src: src, wait: wait}
	r.buf = r.small[:]
	return r
}

// fill reads more, at least one octet. The caller has made sure that there is room.
func (r *Reader) fill() error {
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

// ReadLine reads a command line of at most MaxLine octets and returns it without its CRLF,
// valid until the next call. Only CRLF ends a line (RFC 5321 §2.3.8): ErrLineEnd is a line
// with a CR or LF elsewhere. ErrLineTooLong has read the whole line; ErrFlood has not.
func (r *Reader) ReadLine() ([]byte, error) {
	r.shrink()
	return r.readLineOf(MaxLine)
}

// readLineOf is ReadLine for another limit. The buffer is not smaller than that.
func (r *Reader) readLineOf(limit int) ([]byte, error) {
	for scanned := 0; ; {
		if n := endOfLine(r.buf[r.r:r.w], scanned); n >= 0 {
			line := r.buf[r.r : r.r+n]
			r.r += n + len("\r\n")
			if n+len("\r\n") > limit {
				return nil, ErrLineTooLong
			}
			if bytes.ContainsAny(line, "\r\n") {
				return nil, ErrLineEnd
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

// ReadAuthLine reads a line of an authentication, which may be longer than a command.
func (r *Reader) ReadAuthLine() ([]byte, error) {
	r.grow()
	defer r.shrink()
	line, err := r.readLineOf(MaxAuthLine)
	return bytes.Clone(line), err
}

// Peek returns the next n octets, at most MaxLine, and leaves them unread.
func (r *Reader) Peek(n int) ([]byte, error) {
	for r.w-r.r < n {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	return r.buf[r.r : r.r+n], nil
}

// Discard drops octets that Peek has shown.
func (r *Reader) Discard(n int) { r.r += n }

// Buffered is how many octets have come and are unread.
func (r *Reader) Buffered() int { return r.w - r.r }

// Restart goes on with another source, and returns what of the old one is unread.
func (r *Reader) Restart(src io.Reader) (unread []byte) {
	unread = bytes.Clone(r.buf[r.r:r.w])
	r.r, r.w = 0, 0
	r.src = src
	return unread
}

// skipLine drops the rest of an overlong line.
func (r *Reader) skipLine() error {
	for skipped := 0; skipped < MaxSkipped; {
		if n := endOfLine(r.buf[r.r:r.w], 0); n >= 0 {
			r.r += n + len("\r\n")
			return ErrLineTooLong
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
	return ErrFlood
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

// ReadDots reads DATA content up to its end through d, which hands it on.
func (r *Reader) ReadDots(d *DotDecoder) error {
	r.grow()
	defer r.shrink()
	for {
		n, done := d.Decode(r.buf[r.r:r.w])
		r.r += n
		if done {
			return nil
		}
		if d.GiveUp != nil {
			return d.GiveUp
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// ReadCount reads n octets and hands them on in parts.
func (r *Reader) ReadCount(n int64, take func([]byte)) error {
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
func (r *Reader) grow() {
	if r.large == nil {
		r.large = contentBuffers.Get().(*[]byte)
		r.swap(*r.large)
	}
}

// shrink makes it small again, unless more than a small buffer holds was pipelined after
// the content; then the next line tries again.
func (r *Reader) shrink() {
	if r.large != nil && r.w-r.r <= MaxLine {
		r.swap(r.small[:])
		contentBuffers.Put(r.large)
		r.large = nil
	}
}

func (r *Reader) swap(buf []byte) {
	r.w = copy(buf, r.buf[r.r:r.w])
	r.r = 0
	r.buf = buf
}

// Release returns a large buffer to its pool when the session ends.
func (r *Reader) Release() {
	r.r, r.w = 0, 0
	r.shrink()
}
