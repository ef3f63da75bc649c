package sieve

import (
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
			body := r.in.Message.Body()
			if body == nil {
				return search.End(r)
			}
			text, err := read(body)
			return r.noted(err) && (search.Try(r, text) || search.End(r))
		}
	case "content":
		types := c.List(call.Tag("content"))
		return func(r *Run) bool {
			return r.searchParts(m, func(p *message.Part, try func(string) bool) (bool, error) {
				return searchContent(p, types.Get(r), try)
			})
		}
	}
	return func(r *Run) bool {
		return r.searchParts(m, func(p *message.Part, try func(string) bool) (bool, error) {
			text, ok, err := p.Plain()
			return ok && try(text), err
		})
	}
}

// searchParts tries what of each part is to be compared, until something matches.
func (r *Run) searchParts(m *Matcher, of func(*message.Part, func(string) bool) (bool, error)) bool {
	root, err := r.in.Message.Root()
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
	return r.noted(err) && (found || search.End(r))
}

// searchContent tries a part of one of some types: of a multipart what is around the parts in it, of a message its
// header (RFC 5173 §5.2).
func searchContent(p *message.Part, types []string, try func(string) bool) (bool, error) {
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
			text, err := read(io.NewSectionReader(around, 0, around.Size()))
			if err != nil || try(text) {
				return err == nil, err
			}
		}
		return false, nil
	case len(p.Parts) > 0:
		text, err := read(p.Parts[0].Head())
		return err == nil && try(strings.TrimSuffix(text, "\r\n")), err
	}
	text, err := p.Text()
	return err == nil && try(text), err
}

// read reads a text up to the limit.
func read(from io.Reader) (string, error) {
	var b strings.Builder
	_, err := io.Copy(&b, io.LimitReader(from, message.MaxText))
	return b.String(), err
}

// noted makes an error of reading the message one of the run, and reports whether there is none.
func (r *Run) noted(err error) bool {
	if err != nil {
		r.Fail("the message cannot be read: %v", err)
	}
	return err == nil
}
