package sieve

import (
	"errors"
	"io"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// body compares what the message says (RFC 5173).
func body() *Extension {
	return &Extension{
		Name: "body", Standard: "RFC 5173",
		Definitions: []*Definition{{
			Name:   "body",
			Params: []Param{{"key list", syntax.List}},
			Tags: []Tag{
				{Name: "raw", Group: "body transform"}, {Name: "text", Group: "body transform"},
				{Name: "content", Group: "body transform", Kind: syntax.List},
			},
			Compares: true,
			Test:     bodyTest,
		}},
	}
}

func bodyTest(c *Compiler, call *Call) Test {
	m := c.Matcher(call, call.Args[0])
	if m == nil {
		return nil
	}
	m.silent = true // match values are not set (RFC 5173 §6)
	c.Need(NeedsBody)
	switch call.Of("body transform") {
	case "raw":
		return func(r *Run) bool {
			search := m.Search()
			body := r.message.Body()
			if body == nil {
				return search.End(r)
			}
			found, err := search.all(r, body)
			return found || r.noted(err) && search.End(r)
		}
	case "content":
		types := c.List(call.Tag("content"))
		return func(r *Run) bool {
			return r.searchParts(m, func(p *message.Part, try func(string) bool) (bool, error) {
				return r.searchContent(p, types.Get(r), try)
			})
		}
	}
	return func(r *Run) bool {
		return r.searchParts(m, func(p *message.Part, try func(string) bool) (bool, error) {
			text, ok, err := r.plain(p)
			return ok && try(text), err
		})
	}
}

// all tries a raw body. Where parts of it suffice they are tried one after the other, so that its size does not matter;
// else it has to be within the limit of texts.
func (s *Search) all(r *Run, body *io.SectionReader) (found bool, err error) {
	overlap, ok := s.m.overlap()
	if !ok {
		text, err := message.ReadText(body, body.Size())
		return s.Try(r, text), err
	}
	window := make([]byte, 0, 1<<20+overlap)
	for err == nil && r.err == nil {
		var n int
		n, err = io.ReadFull(body, window[len(window):cap(window)])
		window = window[:len(window)+n]
		if s.Try(r, string(window)) {
			return true, nil
		}
		window = append(window[:0], window[max(0, len(window)-overlap):]...)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return false, err
}

// overlap returns how many octets of a text have to be looked at twice if it is compared in parts; ok is false if it
// cannot be.
func (m *Matcher) overlap() (octets int, ok bool) {
	keys, ok := m.keys.Constants()
	for _, k := range keys {
		octets = max(octets, len(k))
	}
	return octets, ok && m.match.Name == "contains" && m.comparator.offsets
}

// searchParts tries what of each part is to be compared, until something matches.
func (r *Run) searchParts(m *Matcher, of func(*message.Part, func(string) bool) (bool, error)) bool {
	root, err := r.message.Root()
	if !r.noted(err) {
		return false
	}
	search := m.Search()
	found := false
	root.All(func(p *message.Part) bool {
		if !r.spend(1) {
			return false
		}
		found, err = of(p, func(text string) bool { return search.Try(r, text) })
		return !found && err == nil && r.err == nil
	})
	return found || r.noted(err) && search.End(r)
}

// searchContent tries a part of one of some types: of a multipart what is around the parts in it, of a message its
// header (RFC 5173 §5.2).
func (r *Run) searchContent(p *message.Part, types []string, try func(string) bool) (bool, error) {
	is := false
	for _, t := range types {
		is = is || p.Is(t)
	}
	switch {
	case !is:
		return false, nil
	case p.Type == "multipart":
		for _, around := range p.Around {
			if around == nil {
				continue
			}
			text, err := message.ReadText(io.NewSectionReader(around, 0, around.Size()), around.Size())
			if found := try(text); found || err != nil {
				return found, err
			}
		}
		return false, nil
	case len(p.Parts) > 0:
		text, err := message.ReadText(p.Parts[0].Head(), message.MaxHeader)
		return try(strings.TrimSuffix(text, "\r\n")), err
	}
	text, ok, err := r.read(textOf{p, "decoded"}, costDecoded*octets(p.Size()), func() (string, bool, error) {
		text, err := p.Text()
		return text, true, err
	})
	return ok && try(text), err
}

// textOf names a text of the body: the part, and what of it.
type textOf struct {
	part *message.Part
	kind string
}

// texts are those of the body that were read. They are kept up to the limit of one, as scripts have many tests of a
// body, each of which would read it again.
type texts struct {
	kept map[textOf]keptText
	size int
}

type keptText struct {
	text string
	ok   bool
	err  error // that it is too long; what is within the limit is the text
}

// plain returns the text of a part without markup; ok is false for a part that is no text.
func (r *Run) plain(p *message.Part) (text string, ok bool, err error) {
	cost := costDecoded
	switch {
	case !p.IsText():
		return "", false, nil
	case p.IsHTML():
		cost += costMarkup
	}
	return r.read(textOf{p, "plain"}, cost*octets(p.Size()), p.Plain)
}

// octets is how much is read of a text that has a size as it is written.
func octets(size int64) int { return int(min(size, message.MaxText)) }

// read returns a text of the body, which costs something when it is read.
func (r *Run) read(of textOf, cost int, from func() (string, bool, error)) (text string, ok bool, err error) {
	if kept, ok := r.shared.texts.kept[of]; ok {
		return kept.text, kept.ok, kept.err
	}
	if !r.spend(cost) {
		return "", false, nil
	}
	text, ok, err = from()
	if r.shared.texts.size+len(text) <= message.MaxText && (err == nil || errors.Is(err, message.ErrText)) {
		if r.shared.texts.kept == nil {
			r.shared.texts.kept = map[textOf]keptText{}
		}
		r.shared.texts.kept[of] = keptText{text, ok, err}
		r.shared.texts.size += len(text)
	}
	return text, ok, err
}

// noted makes an error of reading the message one of the run, and reports whether there is none.
func (r *Run) noted(err error) bool {
	if err != nil {
		r.Fail("the message cannot be looked at: %v", err)
	}
	return err == nil
}
