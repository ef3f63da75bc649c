package message

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"slices"
	"strings"
)

// An edit is an entity in the place of a part.
type edit struct {
	from, to int64 // octets of the message
	by       *Message
}

// Copy returns the message as it is now, for changes of its own.
func (m *Message) Copy() *Message {
	return &Message{Header: m.Header, content: m.whole(), size: m.Size(), body: m.body, hasBody: m.hasBody}
}

// whole is the content with its edits.
func (m *Message) whole() *io.SectionReader {
	if len(m.edits) == 0 {
		return io.NewSectionReader(m.content, 0, m.size)
	}
	var s splice
	at := int64(0)
	for _, e := range m.edits {
		s.add(io.NewSectionReader(m.content, at, e.from-at))
		s.add(e.by.whole())
		at = e.to
	}
	s.add(io.NewSectionReader(m.content, at, m.size-at))
	return s.section()
}

// ErrBoundary is an entity that would end a part around it.
var ErrBoundary = errors.New("the replacement has a line that is a boundary of the message around it")

// Replace puts an entity in the place of a part, which is not the message itself (RFC 5703 §5). The entity is one of
// MIME: a header, an empty line and a body.
func (p *Part) Replace(entity string) error {
	if p.clashes(entity) {
		return ErrBoundary
	}
	by, err := Read(strings.NewReader(entity), int64(len(entity)))
	if err != nil {
		return err
	}
	by.within, by.around = p.owner.Outermost(), p.boundaries
	root, err := by.Root()
	if err != nil {
		return err
	}
	m := p.owner
	all := m.Outermost()
	if all.added += by.parts; all.added > maxParts {
		return ErrParts
	}
	m.edits = slices.DeleteFunc(m.edits, func(e edit) bool { return e.from >= p.from && e.to <= p.to })
	at := 0
	for at < len(m.edits) && m.edits[at].from < p.from {
		at++
	}
	m.edits = slices.Insert(m.edits, at, edit{p.from, p.to, by})
	from, to := p.from, p.to
	*p = *root
	p.owner, p.from, p.to = m, from, to
	return nil
}

// Outermost is the message that a replacement is in: itself, if it is none.
func (m *Message) Outermost() *Message {
	if m.within != nil {
		return m.within
	}
	return m
}

// Message returns the message that the part is in.
func (p *Part) Message() *Message { return p.owner.Outermost() }

// clashes reports whether a line of a text is a boundary of a multipart around the part.
func (p *Part) clashes(text string) bool {
	for line := range strings.Lines(text) {
		for _, boundary := range p.boundaries {
			if isBoundary([]byte(line), boundary) {
				return true
			}
		}
	}
	return false
}

// TextEntity is a text as an entity of MIME that can stand in the place of the part. The part is nil for one that
// stands nowhere.
func TextEntity(text string, p *Part) string {
	text = canonical(text)
	entity := "Content-Type: text/plain; charset=utf-8\r\n"
	switch {
	case hasLongLine(text) || strings.ContainsRune(text, 0) || p != nil && p.clashes(text):
		return entity + "Content-Transfer-Encoding: base64\r\n\r\n" + base64Lines(text)
	case !isASCII(text):
		entity += "Content-Transfer-Encoding: 8bit\r\n"
	}
	return entity + "\r\n" + text
}

// canonical makes all line ends CRLF (RFC 5322 §2.3).
func canonical(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// hasLongLine reports whether a line is longer than lines of mail are (RFC 5322 §2.1.1).
func hasLongLine(text string) bool {
	for line := range strings.Lines(text) {
		if len(line) > 1000 {
			return true
		}
	}
	return false
}

func base64Lines(text string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(text))
	var b strings.Builder
	for b.Grow(len(encoded) + len(encoded)/38 + 2); encoded != ""; {
		n := min(len(encoded), 76)
		b.WriteString(encoded[:n] + "\r\n")
		encoded = encoded[n:]
	}
	return b.String()
}

// Entity returns a text as an entity of MIME with CRLF; ok is false if it has no header or no body.
func Entity(text string) (entity string, ok bool) {
	text = canonical(text)
	m, err := Read(strings.NewReader(text), int64(len(text)))
	return text, err == nil && m.hasBody
}

// WithEntity returns a message that has an entity in the place of its own (RFC 5703 §5): the fields of a header but
// those of MIME, and these with the body of the entity.
func WithEntity(header []*Field, entity string) (*Message, error) {
	e, err := Read(strings.NewReader(entity), int64(len(entity)))
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, f := range header {
		if !f.isMIME() {
			b.WriteString(f.Line())
		}
	}
	if find(e.Header, "mime-version") == nil {
		b.WriteString("MIME-Version: 1.0\r\n")
	}
	for _, f := range e.Header {
		if f.isMIME() {
			b.WriteString(f.Line())
		}
	}
	b.WriteString("\r\n" + entity[e.body:])
	return Read(strings.NewReader(b.String()), int64(b.Len()))
}

// isMIME reports whether the field is one of MIME (RFC 2045 §3).
func (f *Field) isMIME() bool { return strings.HasPrefix(f.key, "content-") || f.key == "mime-version" }

// Enclosed returns a message with a text and, as an attachment, another message, which has a header of its own
// (RFC 5703 §6). Its boundary must not occur in them.
func Enclosed(header []*Field, text, boundary string, m *Message, itsHeader []*Field) (*Message, error) {
	var s splice
	for _, f := range header {
		s.text(f.Line())
	}
	s.text("MIME-Version: 1.0\r\nContent-Type: " +
		mime.FormatMediaType("multipart/mixed", map[string]string{"boundary": boundary}) + "\r\n\r\n--" + boundary + "\r\n" +
		TextEntity(text, nil) + "\r\n--" + boundary + "\r\nContent-Type: message/rfc822\r\n\r\n")
	for _, f := range itsHeader {
		s.text(f.Line())
	}
	if body := m.Body(); body != nil {
		s.text("\r\n")
		s.add(body)
	}
	s.text("\r\n--" + boundary + "--\r\n")
	return Read(&s, s.size)
}
