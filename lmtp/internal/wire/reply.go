package wire

import (
	"encoding/base64"
	"io"
	"strconv"
	"strings"
)

const (
	// maxReplyLine is the longest reply line, CRLF included (RFC 5321 §4.5.3.1.5).
	maxReplyLine = 512
	// maxPending bounds the replies held back for a pipelining client. Beyond it they are
	// written, and a client that does not read them stops the session from reading it.
	maxPending = 16 << 10
	// maxReplyLines bounds one reply, whatever a Handler says.
	maxReplyLines = 50
)

// A ReplyWriter writes replies and nothing else. It is the only way to the client, so every
// rule for the form of a reply is kept here: the enhanced code on each line and of the class
// of the basic code (RFC 2034 §4), lines of at most 512 octets, and no octet outside
// printable ASCII, whatever a text was made from (RFC 5321 §4.2, RFC 6531 §3.7.4).
type ReplyWriter struct {
	dst     io.Writer
	pending []byte
	err     error // the first write error; nothing is written after it
}

// NewReplyWriter writes to dst.
func NewReplyWriter(dst io.Writer) ReplyWriter { return ReplyWriter{dst: dst} }

// Err is the first error of a write to the client, after which nothing is written.
func (w *ReplyWriter) Err() error { return w.err }

// Write adds a reply to those pending: its basic code; its enhanced code, "" for none; and its text, whose lines are
// separated by "\n".
func (w *ReplyWriter) Write(code int, enhanced, text string) {
	prefix := string(strconv.AppendInt(make([]byte, 0, 8), int64(code), 10)) // on the stack, as Itoa's is not
	if enhanced != "" {
		enhanced = SameClass(enhanced, prefix) + " "
	}
	width := maxReplyLine - len("250 ") - len(enhanced) - len("\r\n")
	if len(text) <= width && Plain(text) {
		w.line(prefix, ' ', enhanced, text) // the usual case, without copying
	} else {
		lines := replyLines(text, width)
		last := len(lines) - 1
		for _, line := range lines[:last] {
			w.line(prefix, '-', enhanced, line)
		}
		w.line(prefix, ' ', enhanced, lines[last])
	}
	if len(w.pending) >= maxPending {
		w.Flush()
	}
}

// line adds one line of a reply; after is what follows the code: a hyphen on all but the last.
func (w *ReplyWriter) line(prefix string, after byte, enhanced, text string) {
	w.pending = append(w.pending, prefix...)
	w.pending = append(w.pending, after)
	w.pending = append(w.pending, enhanced...)
	w.pending = append(w.pending, text...)
	w.pending = append(w.pending, "\r\n"...)
}

// WriteChallenge adds the challenge of an authentication, which is one line of its own length
// (RFC 4954 §4), and reports whether it may be so long.
func (w *ReplyWriter) WriteChallenge(challenge []byte) bool {
	if base64.StdEncoding.EncodedLen(len(challenge)) > MaxAuthLine-len("334 \r\n") {
		return false
	}
	w.pending = append(w.pending, "334 "...)
	w.pending = base64.StdEncoding.AppendEncode(w.pending, challenge)
	w.pending = append(w.pending, '\r', '\n')
	return true
}

// Flush sends what is pending.
func (w *ReplyWriter) Flush() error {
	if w.err == nil && len(w.pending) > 0 {
		_, w.err = w.dst.Write(w.pending)
	}
	w.pending = w.pending[:0]
	if cap(w.pending) > 1024 {
		w.pending = nil // a long answer must not cost an idle session its memory
	}
	return w.err
}

// SameClass returns the enhanced code with the class of the basic code: a client reads the
// class from either, and a contradiction would let it choose. What is no enhanced code at all
// becomes the least that can be said.
func SameClass(enhanced, basic string) string {
	if isEnhanced(enhanced) && enhanced[0] == basic[0] {
		return enhanced
	}
	return basic[:1] + ".0.0"
}

// isEnhanced: status-code = class "." subject "." detail, where the last two have one to
// three digits (RFC 3463 §2).
func isEnhanced(s string) bool {
	class, rest, _ := strings.Cut(s, ".")
	subject, detail, _ := strings.Cut(rest, ".")
	return len(class) == 1 && IsDigits(class) &&
		len(subject) <= 3 && IsDigits(subject) && len(detail) <= 3 && IsDigits(detail)
}

// replyLines makes text fit for reply lines of at most width octets.
func replyLines(text string, width int) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.Map(printable, line)
		for len(line) > width {
			lines = append(lines, line[:width])
			line = line[width:]
		}
		lines = append(lines, line)
	}
	return lines[:min(len(lines), maxReplyLines)]
}

// printable replaces what must not stand in a reply (RFC 5321 §4.2: HT, SP and printable
// ASCII).
func printable(r rune) rune {
	if r == '\t' || r >= ' ' && r <= '~' {
		return r
	}
	return '?'
}
