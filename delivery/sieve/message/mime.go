package message

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"slices"
	"strings"

	gomessage "github.com/emersion/go-message"
)

// ErrParts is a structure beyond the limits.
var ErrParts = errors.New("the message has more than 500 parts, or parts more than 20 deep")

// Limits of the structure of a body.
const (
	maxParts   = 500
	maxDepth   = 20
	maxScanned = 256 << 20 // octets read to find the structure, all levels together
)

// A Part is one of a message's structure (RFC 2045, RFC 2046): the message itself, a part of a multipart, or a message
// in a message.
type Part struct {
	// Header has the fields of the part.
	Header []*Field
	// Type and Subtype are those of its content type, in lower case; text/plain if there is none.
	Type, Subtype string
	// Charset is that of a text; empty if none is named.
	Charset string
	// Parts are those in it.
	Parts []*Part
	// Around are what stands before the first part of a multipart, and after the last.
	Around [2]*io.SectionReader

	content *io.SectionReader // as it came, without the header
	head    *io.SectionReader

	owner      *Message // whose octets those from from up to to are
	from, to   int64
	boundaries []string // of the multiparts that it is in
}

// Root returns the structure of the message: a part with the others in it.
func (m *Message) Root() (*Part, error) {
	if m.root == nil {
		w := &walk{owner: m}
		root, err := w.part(io.NewSectionReader(m.content, 0, m.size), place{byDefault: "text/plain", boundaries: m.around})
		if err != nil {
			return nil, err
		}
		m.root, m.parts = root, w.parts
	}
	return m.root, nil
}

// All calls yield for the part, and for all in it, in their order.
func (p *Part) All(yield func(*Part) bool) bool {
	if !yield(p) {
		return false
	}
	for _, child := range p.Parts {
		if !child.All(yield) {
			return false
		}
	}
	return true
}

// Is reports whether the part is of a type, such as "text", or of a type with its subtype. The empty text is any.
func (p *Part) Is(of string) bool {
	kind, sub, both := strings.Cut(Lower(of), "/")
	switch {
	case of == "":
		return true
	case !both:
		return p.Type == kind
	}
	return p.Type == kind && p.Subtype == sub && kind != "" && sub != "" && !strings.Contains(sub, "/")
}

// Head returns the header of the part as it is written.
func (p *Part) Head() *io.SectionReader { return io.NewSectionReader(p.head, 0, p.head.Size()) }

// Raw returns the content of the part as it is written.
func (p *Part) Raw() io.Reader { return io.NewSectionReader(p.content, 0, p.content.Size()) }

// Size returns the octets of the content as it is written.
func (p *Part) Size() int64 { return p.content.Size() }

// Content returns the content of the part, with its transfer encoding removed. Where that is not known there is none.
func (p *Part) Content() io.Reader {
	var h gomessage.Header
	h.Set("Content-Type", "application/octet-stream") // charsets are not its business
	if f := find(p.Header, "content-transfer-encoding"); f != nil {
		h.Set("Content-Transfer-Encoding", strings.Trim(f.Value(), " \t;"))
	}
	entity, err := gomessage.New(h, p.Raw())
	if err != nil {
		return strings.NewReader("")
	}
	return entity.Body
}

// find returns the first field of a name, which is in lower case; nil if there is none.
func find(header []*Field, key string) *Field {
	for _, f := range header {
		if f.key == key {
			return f
		}
	}
	return nil
}

// A walk finds the structure of a message.
type walk struct {
	owner   *Message
	parts   int
	scanned int64
}

// A place is where in a message a part is.
type place struct {
	at         int64 // the offset of its first octet
	depth      int
	byDefault  string // the content type of a part that names none (RFC 2046 §5.1.5)
	boundaries []string
}

// part reads a part with those in it.
func (w *walk) part(section *io.SectionReader, at place) (*Part, error) {
	w.parts++
	head, err := readHead(section, section.Size())
	if err != nil {
		return nil, err
	}
	p := &Part{
		head:    io.NewSectionReader(section, 0, int64(len(head))),
		content: io.NewSectionReader(section, int64(len(head)), section.Size()-int64(len(head))),
		owner:   w.owner, from: at.at, to: at.at + section.Size(), boundaries: at.boundaries,
	}
	if p.Header, err = index(string(head)); err != nil {
		return nil, err
	}
	params := p.readType(at.byDefault)
	in := place{
		at: at.at + int64(len(head)), depth: at.depth + 1, byDefault: "text/plain", boundaries: at.boundaries,
	}
	switch {
	case at.depth == maxDepth && (p.Type == "multipart" || p.Type == "message"):
		return nil, ErrParts
	case p.Type == "multipart" && params["boundary"] != "":
		in.boundaries = append(slices.Clip(in.boundaries), params["boundary"])
		if p.Subtype == "digest" {
			in.byDefault = "message/rfc822"
		}
		err = w.multipart(p, params["boundary"], in)
	case p.Type == "message" && (p.Subtype == "rfc822" || p.Subtype == "global"):
		var inner *Part
		if inner, err = w.part(p.content, in); err == nil {
			p.Parts = []*Part{inner}
		}
	}
	return p, err
}

// Media reads a value such as that of Content-Type or Content-Disposition (RFC 2045 §5.1, RFC 2183 §2): what comes
// first, in lower case, and the parameters. One that cannot be read has none.
func (f *Field) Media() (kind string, params map[string]string) {
	return media(f.Value())
}

func media(value string) (kind string, params map[string]string) {
	kind, params, err := mime.ParseMediaType(value)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		kind, _, _ = strings.Cut(Lower(value), ";")
		kind = strings.TrimSpace(kind)
	}
	return kind, params
}

// readType reads the content type. One that cannot be read is no type.
func (p *Part) readType(byDefault string) (params map[string]string) {
	value := byDefault
	if f := find(p.Header, "content-type"); f != nil {
		value = f.Value()
	}
	kind, params := media(value)
	p.Charset = params["charset"]
	p.Type, p.Subtype, _ = strings.Cut(kind, "/")
	return params
}

// multipart finds the parts between lines of the boundary (RFC 2046 §5.1.1).
func (w *walk) multipart(p *Part, boundary string, in place) error {
	w.scanned += p.content.Size()
	if w.scanned > maxScanned {
		return ErrParts
	}
	child := func(begin, end int64) error {
		if w.parts >= maxParts {
			return ErrParts
		}
		inner := in
		inner.at += begin
		part, err := w.part(io.NewSectionReader(p.content, begin, end-begin), inner)
		if err == nil {
			p.Parts = append(p.Parts, part)
		}
		return err
	}
	lines := bufio.NewReaderSize(p.Raw(), 4096)
	at, begin := int64(0), int64(0)
	preamble := true
	before := int64(0) // the line end before the current line, which belongs to a boundary
	for wasWhole := true; ; {
		line, err := lines.ReadSlice('\n')
		whole := err == nil
		if wasWhole && isBoundary(line, boundary) {
			end := max(begin, at-before)
			if preamble {
				p.Around[0], preamble = io.NewSectionReader(p.content, begin, end-begin), false
			} else if err := child(begin, end); err != nil {
				return err
			}
			begin = at + int64(len(line))
			if strings.HasPrefix(string(line[len("--")+len(boundary):]), "--") {
				p.Around[1] = io.NewSectionReader(p.content, begin, p.content.Size()-begin)
				return nil
			}
		}
		at += int64(len(line))
		before = lineEnd(line)
		wasWhole = whole
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if !errors.Is(err, io.EOF) {
				return err
			}
			break
		}
	}
	if !preamble { // without an end: the last part goes up to the end
		return child(begin, p.content.Size())
	}
	return nil
}

// isBoundary reports whether a line is one of the boundary: it may be followed by two hyphens, and white space.
func isBoundary(line []byte, boundary string) bool {
	rest, ok := strings.CutPrefix(string(line), "--"+boundary)
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, "--")
	return strings.Trim(rest, " \t\r\n") == ""
}

// lineEnd is the length of the line end of a line.
func lineEnd(line []byte) int64 {
	trimmed := strings.TrimRight(string(line), "\n")
	n := len(line) - len(trimmed)
	if n > 0 && strings.HasSuffix(trimmed, "\r") {
		n++
	}
	return int64(n)
}
