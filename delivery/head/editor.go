// Package head reads the header of a message and edits it, while the message passes from the network to its copies.
package head

import (
	"bytes"
	"io"
	"slices"

	"github.com/emersion/go-message/textproto"
)

const (
	// Bound is how many octets are held until the end of the header is known. What is longer is edited in parts.
	Bound = 64 << 10
	// maxName bounds what is looked at to recognize a header field by its name.
	maxName = 128
	// MaxFields and MaxField bound what is collected of a header: fields of a name, the last one always among them, and
	// octets of a field.
	MaxFields = 100
	MaxField  = 8 << 10
)

// An Editor passes a message on, and edits its top so that our trace fields can stand before it:
//
//   - A leading mbox "From " line is removed where a header follows it: it is not a header field, and Maildir readers
//     would take it and all that follows for the body.
//   - An empty line comes first where the message does not begin with a header: its first line would else continue
//     our last field, or hide in the header (RFC 7103 §7.2).
//   - Return-Path fields are removed: the one that counts is ours (RFC 5321 §4.4).
//
// Everything else passes octet for octet, however odd it is, and nothing is looked at after the header. The result
// does not depend on how the message is cut into writes.
type Editor struct {
	// To gets the message. The first write comes when the header is complete, or Bound octets of it are there.
	To io.Writer
	// Remove reports whether fields of a name are removed too. [none]
	Remove func(name []byte) bool
	// Collect reports whether Header is to have the fields of a name. [none]
	Collect func(name []byte) bool
	// Digest, if not nil, gets the message too, but for the fields in which an MTA writes when it tries to deliver: it is
	// the same whenever the same message comes again. It must not fail.
	Digest io.Writer
	// Received counts the fields of that name, by which loops are found (RFC 5321 §6.3).
	Received int

	place     place
	held      []byte // from the start of a field
	line      int    // where in held the last line begins
	searched  int    // up to where there is no line end after that
	removing  bool   // in partOfField: what becomes of it
	lineStart bool   // in partOfField: at the start of a line
	collected [][]byte
}

// place is where in the message an Editor is.
type place int

const (
	atStart     place = iota
	inHeader          // at the start of a field
	partOfField       // in one that is too long to be held
	inBody
)

// Write takes the next part of the message.
func (e *Editor) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		var err error
		switch e.place {
		case inBody:
			err = e.pass(rest)
			rest = nil
		case partOfField:
			rest, err = e.passPart(rest)
		default:
			rest, err = e.hold(rest)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// Close ends the message, whose header may not have ended before.
func (e *Editor) Close() error {
	if e.place == atStart || e.place == inHeader {
		held := e.held
		e.held = nil
		return e.end(held, len(held))
	}
	return nil
}

// hold takes the next octets of the header and, when its end is among them, all of p. It returns what is left of p.
func (e *Editor) hold(p []byte) (rest []byte, err error) {
	head := p[:min(len(p), Bound-len(e.held))]
	rest = p[len(head):]
	if len(e.held) > 0 {
		e.held = append(e.held, head...)
		head = e.held
	}
	at := e.emptyLine(head)
	switch {
	case at >= 0 && len(e.held) == 0: // the usual case, without copying
		return nil, e.end(p, at)
	case at >= 0:
		e.held = nil
		return rest, e.end(head, at)
	case len(head) == Bound:
		passed, err := e.overflow(head)
		if err != nil {
			return nil, err
		}
		head = head[passed:]
		e.line, e.searched = 0, 0
	}
	e.held = append(e.held[:0], head...)
	return rest, nil
}

// emptyLine finds the line that ends the header in what is held, or -1. It looks at each octet once, in whatever
// parts they come.
func (e *Editor) emptyLine(head []byte) int {
	for {
		n := bytes.IndexByte(head[e.searched:], '\n') + 1
		if n == 0 {
			e.searched = len(head)
			return -1
		}
		end := e.searched + n
		if isEmptyLine(head[e.line:end]) {
			return e.line
		}
		e.line, e.searched = end, end
	}
}

// end passes on the rest of the header, p[:at], and what comes after it.
func (e *Editor) end(p []byte, at int) error {
	from := 0
	if e.place == atStart {
		var found bool
		if from, found = begin(p[:at]); !found {
			return e.withoutHeader(p)
		}
	}
	e.place = inBody
	from, err := e.fields(p[:at], from)
	if err != nil {
		return err
	}
	return e.pass(p[from:])
}

// withoutHeader passes on a message that begins with its body, after an empty line, which it may have.
func (e *Editor) withoutHeader(p []byte) error {
	e.place = inBody
	if len(p) == 0 || !isEmptyLine(p[:bytes.IndexByte(p, '\n')+1]) {
		if err := e.pass([]byte("\r\n")); err != nil {
			return err
		}
	}
	return e.pass(p)
}

// overflow passes on the fields that are complete in a header too long to be held, and returns how many octets these
// are. The last one may go on. If it is all there is, it is passed on as far as it has come.
func (e *Editor) overflow(head []byte) (passed int, err error) {
	from := 0
	if e.place == atStart {
		var found bool
		if from, found = begin(head); !found {
			return len(head), e.withoutHeader(head)
		}
		e.place = inHeader
	}
	last := lastField(head[from:]) + from
	if last == from {
		e.place, e.lineStart = partOfField, bytes.HasSuffix(head, []byte("\n"))
		last = len(head)
	}
	if from, err = e.fields(head[:last], from); err != nil {
		return 0, err
	}
	e.removing = from == last // its only field was removed
	return last, e.pass(head[from:last])
}

// passPart passes on the next part of a field of which the first was passed on, or removed. It returns what comes
// after the field.
func (e *Editor) passPart(p []byte) (rest []byte, err error) {
	if e.lineStart && !isSpace(p[0]) {
		e.place = inHeader
		return p, nil
	}
	n := bytes.IndexByte(p, '\n') + 1
	e.lineStart = n > 0
	if n == 0 {
		n = len(p)
	}
	if e.removing {
		return p[n:], nil
	}
	return p[n:], e.pass(p[:n])
}

// fields goes over the fields of head from an octet on, and passes on what is before each one that is removed. It
// returns from where on the rest stays.
func (e *Editor) fields(head []byte, from int) (int, error) {
	for at := from; at < len(head); {
		field := head[at : at+firstField(head[at:])]
		name := fieldName(field)
		if e.Collect != nil && name != nil && e.Collect(name) {
			e.collect(name, field)
		}
		if bytes.EqualFold(name, []byte("Received")) {
			e.Received++
		}
		next := at + len(field)
		if name != nil && (bytes.EqualFold(name, []byte("Return-Path")) || e.Remove != nil && e.Remove(name)) {
			if err := e.pass(head[from:at]); err != nil {
				return 0, err
			}
			from = next
		} else if e.Digest != nil && isOfAttempt(name) {
			if err := e.pass(head[from:at]); err != nil {
				return 0, err
			}
			if _, err := e.To.Write(field); err != nil {
				return 0, err
			}
			from = next
		}
		at = next
	}
	return from, nil
}

// collect keeps a field. In the place of too many of its name there is the last: it can be the one that a filter put
// below all that the sender wrote.
func (e *Editor) collect(name, field []byte) {
	n, last := 0, 0
	for i, other := range e.collected {
		if bytes.EqualFold(fieldName(other), name) {
			n, last = n+1, i
		}
	}
	if n == MaxFields {
		e.collected = slices.Delete(e.collected, last, last+1)
	}
	e.collected = append(e.collected, bytes.Clone(field[:min(len(field), MaxField)]))
}

// Header returns the fields that were collected so far, in order.
func (e *Editor) Header() (h textproto.Header) {
	for i := len(e.collected) - 1; i >= 0; i-- {
		h.AddRaw(e.collected[i]) // above the others
	}
	return h
}

func (e *Editor) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if e.Digest != nil {
		_, _ = e.Digest.Write(p)
	}
	_, err := e.To.Write(p)
	return err
}
