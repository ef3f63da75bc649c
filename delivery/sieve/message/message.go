// Package message shows a message as Sieve's tests see it: header fields, addresses, dates, and the parts of the body.
// What is asked for is read then, and once; what an attacker chooses is bounded. A Message is for one goroutine.
package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// Limits of a header. RFC 5228 §2.10.5 lets an implementation have its own.
const (
	MaxHeader = 256 << 10 // octets
	MaxField  = 64 << 10  // octets of a field
	MaxFields = 1000
)

// ErrHeader is a header beyond the limits.
var ErrHeader = errors.New("the header of the message is too large: more than 256 KiB, 1000 fields, or 64 KiB in one")

// A Message is one that is filtered. Its header is indexed; its body stays where it is.
type Message struct {
	// Header has the fields in order, as they came. Edits make another slice of it.
	Header []*Field

	content io.ReaderAt
	size    int64
	body    int64 // where the body begins
	hasBody bool  // there is an empty line after the header
	root    *Part // of its structure; nil until it is asked for
	parts   int   // in it

	added  int      // parts of replacements
	edits  []edit   // what stands in the place of parts, in the order of these
	within *Message // that this one is a replacement in
	around []string // the boundaries of the multiparts that it is in
}

// Read indexes the header of a message of size octets.
func Read(content io.ReaderAt, size int64) (*Message, error) {
	head, err := readHead(content, size)
	if err != nil {
		return nil, err
	}
	m := &Message{content: content, size: size, body: int64(len(head)), hasBody: headEnd(head, 0) >= 0}
	m.Header, err = index(string(head))
	return m, err
}

// Size returns the size of the message in octets, with its replacements.
func (m *Message) Size() int64 {
	size := m.size
	for _, e := range m.edits {
		size += e.by.Size() - (e.to - e.from)
	}
	return size
}

// Body returns the raw body; nil if there is none, not even an empty one: the message ends in its header.
func (m *Message) Body() *io.SectionReader {
	if !m.hasBody {
		return nil
	}
	return io.NewSectionReader(m.whole(), m.body, m.Size()-m.body)
}

// readHead reads up to the empty line that ends the header, and it.
func readHead(content io.ReaderAt, size int64) ([]byte, error) {
	head := make([]byte, 0, min(4096, size))
	for {
		have := len(head)
		head = head[:min(int64(cap(head)), size)]
		if n, err := content.ReadAt(head[have:], int64(have)); n < len(head)-have {
			return nil, err
		}
		if end := headEnd(head, max(0, have-3)); end >= 0 {
			return head[:end], nil
		}
		switch {
		case int64(len(head)) == size:
			return head, nil
		case len(head) >= MaxHeader:
			return nil, ErrHeader
		}
		head = append(make([]byte, 0, 4*cap(head)), head...)
	}
}

// headEnd finds the end of the empty line, looking from an offset on; -1 if there is none.
func headEnd(head []byte, from int) int {
	if from == 0 {
		switch {
		case bytes.HasPrefix(head, []byte("\n")):
			return 1
		case bytes.HasPrefix(head, []byte("\r\n")):
			return 2
		}
	}
	for {
		n := bytes.IndexByte(head[from:], '\n')
		if n < 0 {
			return -1
		}
		from += n + 1
		switch rest := head[from:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			return from + 1
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return from + 2
		}
	}
}

// index finds the fields of a header. What is no field is passed over, as mail readers do.
func index(head string) ([]*Field, error) {
	folded := Lower(head)
	lines := strings.Count(head, "\n") + 1
	fields := make([]Field, 0, min(lines, MaxFields))
	list := make([]*Field, 0, cap(fields))
	for at := 0; at < len(head); {
		end := fieldEnd(head, at)
		colon := strings.IndexByte(head[at:end], ':')
		if colon > 0 && !isSpace(head[at]) {
			if len(fields) == MaxFields || end-at > MaxField {
				return nil, ErrHeader
			}
			colon += at
			name := strings.TrimRight(head[at:colon], " \t")
			fields = append(fields, Field{
				Name: name, key: folded[at : at+len(name)], raw: head[colon+1 : end], rawFolded: folded[colon+1 : end],
			})
			list = append(list, &fields[len(fields)-1])
		}
		at = end
	}
	return list, nil
}

// fieldEnd returns the offset after a field: its lines go on as long as they begin with white space.
func fieldEnd(head string, at int) int {
	for {
		n := strings.IndexByte(head[at:], '\n')
		if n < 0 {
			return len(head)
		}
		if at += n + 1; at == len(head) || !isSpace(head[at]) {
			return at
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// Lower folds the case of ASCII letters, and of nothing else (RFC 4790 §9.2.1). A text that has no capitals is
// returned as it is.
func Lower(s string) string {
	var b strings.Builder
	from := 0
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			if from == 0 {
				b.Grow(len(s))
			}
			b.WriteString(s[from:i])
			b.WriteByte(c + 'a' - 'A')
			from = i + 1
		}
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

// Reader reads the whole message, with another header and another body where they are not nil.
func (m *Message) Reader(header []*Field, body *io.SectionReader) io.Reader {
	if header == nil && body == nil {
		return m.whole()
	}
	if header == nil {
		header = m.Header
	}
	var b strings.Builder
	for _, f := range header {
		b.WriteString(f.Line())
	}
	if body == nil {
		body = m.Body()
	}
	if body == nil {
		return strings.NewReader(b.String())
	}
	b.WriteString("\r\n")
	return io.MultiReader(strings.NewReader(b.String()), io.NewSectionReader(body, 0, body.Size()))
}

// Content returns what Reader reads.
func (m *Message) Content(header []*Field, body *io.SectionReader) ([]byte, error) {
	return io.ReadAll(m.Reader(header, body))
}
