package mailbox

import (
	"bytes"

	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// A lineEnder turns octets as sent into octets on disk, in pieces of any length, and counts
// them. A CR that ends a piece waits for what follows.
//
// Only the CR of a CRLF goes: CR CR LF leaves CR LF, which a reader cannot tell from a line
// that ended in CRLF on disk. Any other CR is content and stays.
type lineEnder struct {
	crlf  bool // keep CRLF
	cr    bool // a CR waits
	last  byte // the octet put last
	sizes maildir.Sizes
}

// put appends the disk form of p to dst: at most one octet more than p has.
func (l *lineEnder) put(dst, p []byte) []byte {
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			return l.text(dst, p)
		}
		dst = l.newline(l.text(dst, p[:i]))
		p = p[i+1:]
	}
	return dst
}

// finish ends the content, with at most two octets more: a CR that waited, and where lines
// end in LF, the LF that the last line lacks (RFC 3030 lets BDAT end anywhere; Unix readers
// want whole lines).
func (l *lineEnder) finish(dst []byte) []byte {
	if l.cr {
		dst = l.octet(dst, '\r')
		l.cr = false
	}
	if !l.crlf && l.sizes.Disk > 0 && l.last != '\n' {
		dst = l.newline(dst)
	}
	return dst
}

// text appends octets without LF, holding a final CR back.
func (l *lineEnder) text(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	if l.cr {
		dst = l.octet(dst, '\r')
	}
	end := len(p) - 1
	if l.cr = p[end] == '\r'; l.cr {
		p = p[:end]
	}
	if len(p) == 0 {
		return dst
	}
	l.sizes.Disk += int64(len(p))
	l.last = p[len(p)-1]
	return append(dst, p...)
}

// newline appends a line end; the CR that waited is part of it.
func (l *lineEnder) newline(dst []byte) []byte {
	if l.cr && l.crlf {
		dst = l.octet(dst, '\r')
	}
	l.cr = false
	if l.last != '\r' {
		l.sizes.Bare++
	}
	return l.octet(dst, '\n')
}

func (l *lineEnder) octet(dst []byte, c byte) []byte {
	l.sizes.Disk++
	l.last = c
	return append(dst, c)
}
