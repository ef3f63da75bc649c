package delivery

import (
	"bytes"
	"io"

	"github.com/doorstep-mail/doorstep/lmtp"
)

const (
	// maxReceived is how many Received fields a message may have: with more it is taken to
	// be in a loop (RFC 5321 §6.3).
	maxReceived = 100
	// maxFieldName bounds what is looked at to tell a header field by its name.
	maxFieldName = 128
	// maxUndecided bounds what is held back while it is not known whether content begins
	// with a header.
	maxUndecided = 64 << 10
)

// errLoop refuses a message that went through too many hands.
var errLoop = &lmtp.Error{Code: 554, Enhanced: "5.4.6", Text: "too many hops, the message is in a loop", Rule: "loop"}

// A headEditor passes content on, and edits the top of it so that our trace fields can stand
// before it:
//
//   - A leading mbox "From " line is dropped: it is not a header field, and Maildir readers
//     would take it and all that follows for the body.
//   - An empty line comes first where the content does not begin with a header: its first
//     line would else continue our last field, or hide in the header (RFC 7103 §7.2).
//   - Return-Path fields are dropped: the one that counts is ours (RFC 5321 §4.4).
//   - Require-Recipient-Valid-Since fields are dropped and kept for refuseByHeader, where
//     that is wanted: they have done their work here (RFC 7293 §5.2).
//   - Fields that rules ask for are kept for fileByHeader, and pass.
//   - Received fields are counted, to find loops (RFC 5321 §6.3).
//
// Everything else passes unchanged; behind the header nothing is looked at.
type headEditor struct {
	dst io.Writer

	place    headPlace
	mbox     bool   // the "From " line was dropped
	line     []byte // the start of a line, until it can be told what it is
	inside   bool   // in a line that has been told; the rest of it shares its fate
	dropping bool   // that fate, and that of the lines which continue it
	held     []byte // lines in front of the first that decides
	received int
	since    *sinceFields // nil: these fields are like any other
	fields   *ruleFields  // nil: nobody asks for any
}

// headPlace is where in the content the editor is.
type headPlace int

const (
	atFirstLine headPlace = iota
	undecided             // no line looked like a header field yet
	inHeader
	inBody
)

// Write takes the next part of the content.
func (h *headEditor) Write(p []byte) error {
	for len(p) > 0 && h.place != inBody {
		var err error
		if p, err = h.takeLine(p); err != nil {
			return err
		}
	}
	return h.emit(p)
}

// Close ends the content: what was held back goes on.
func (h *headEditor) Close() error {
	if len(h.line) > 0 {
		if err := h.tellHeld(); err != nil {
			return err
		}
	}
	if h.place < inHeader {
		return h.decide(inBody)
	}
	return nil
}

// takeLine takes what p has of one line, and returns the rest.
func (h *headEditor) takeLine(p []byte) (rest []byte, err error) {
	n := bytes.IndexByte(p, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(p)
	}
	if h.inside {
		h.inside = !ended
		return p[n:], h.pass(p[:n])
	}
	if ended && len(h.line) == 0 {
		return p[n:], h.tell(p[:n]) // the usual case, without copying
	}
	if !ended {
		n = min(n, maxFieldName-len(h.line)) // enough to tell, and a bound for what is held
	}
	h.line = append(h.line, p[:n]...)
	if !ended && len(h.line) < maxFieldName {
		return p[n:], nil
	}
	h.inside = !ended
	return p[n:], h.tellHeld()
}

// tellHeld is tell for a line that came in parts.
func (h *headEditor) tellHeld() error {
	line := h.line
	h.line = h.line[:0]
	return h.tell(line)
}

// tell finds out what the line is that begins so, and passes it on.
func (h *headEditor) tell(line []byte) error {
	name := fieldName(line)
	if h.place == atFirstLine {
		if name == nil && !h.mbox && bytes.HasPrefix(line, []byte("From ")) {
			h.mbox, h.dropping = true, true
			return nil
		}
		h.place = undecided
		if isSpace(line[0]) {
			return h.body(line)
		}
	}
	if isEmptyLine(line) {
		return h.body(line)
	}
	if name != nil && h.place == undecided {
		if err := h.decide(inHeader); err != nil {
			return err
		}
	}
	if !isSpace(line[0]) {
		h.fields.begin(name)
		h.dropping = h.since.begin(name) || bytes.EqualFold(name, []byte("Return-Path"))
	}
	if bytes.EqualFold(name, []byte("Received")) {
		if h.received++; h.received > maxReceived {
			return errLoop
		}
	}
	return h.pass(line)
}

// body ends the header with line: the empty line behind it, or the first of the body.
func (h *headEditor) body(line []byte) error {
	if isEmptyLine(line) && len(h.held) == 0 {
		h.place = inBody // the empty line that is needed is there
	}
	if err := h.decide(inBody); err != nil {
		return err
	}
	return h.emit(line)
}

// decide ends the wait for a first header field. Content that goes straight to its body
// without one gets an empty line before it, unless it begins with one.
func (h *headEditor) decide(place headPlace) error {
	noHeader := place == inBody && h.place < inHeader
	h.place = place
	held := h.held
	h.held = nil
	if noHeader {
		if err := h.emit([]byte("\r\n")); err != nil {
			return err
		}
	}
	return h.emit(held)
}

// pass hands a part of a header line on, or drops it, or holds it back.
func (h *headEditor) pass(p []byte) error {
	h.fields.add(p)
	switch {
	case h.dropping:
		h.since.add(p)
		return nil
	case h.place != undecided:
		return h.emit(p)
	}
	h.held = append(h.held, p...)
	if len(h.held) > maxUndecided {
		return h.decide(inBody)
	}
	return nil
}

func (h *headEditor) emit(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := h.dst.Write(p)
	return err
}

// fieldName gives the name of the header field that line begins, nil if it begins none.
//
//	field-name = 1*(%d33-57 / %d59-126), and white space before the colon (obs-optional)
func fieldName(line []byte) []byte {
	// However a line comes in parts, the same octets of it are looked at.
	name, _, ok := bytes.Cut(line[:min(len(line), maxFieldName)], []byte(":"))
	name = bytes.TrimRight(name, " \t")
	if !ok || len(name) == 0 {
		return nil
	}
	for _, b := range name {
		if b <= ' ' || b > '~' {
			return nil
		}
	}
	return name
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' }

func isEmptyLine(line []byte) bool { return string(line) == "\r\n" || string(line) == "\n" }
