package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// header compares the values of fields (RFC 5228 §5.7).
func headerTest() *Definition {
	return &Definition{
		Name:     "header",
		Params:   []Param{{"header names", syntax.List}, {"key list", syntax.List}},
		Compares: true,
		Test: func(c *Compiler, call *Call) Test {
			s, ok := c.selection(call, call.Args[0])
			m := c.Matcher(call, call.Args[1])
			if !ok || m == nil {
				return nil
			}
			option := c.option(call)
			return func(r *Run) bool {
				search := m.Search()
				it := s.fields(r)
				for f := it.next(r); f != nil; f = it.next(r) {
					if option == nil {
						if search.field(r, f) {
							return true
						}
						continue
					}
					for _, value := range option(r, f) {
						if search.Try(r, value) {
							return true
						}
					}
				}
				return search.End(r)
			}
		},
	}
}

// exists is whether all of some fields are there (RFC 5228 §5.5).
func existsTest() *Definition {
	return &Definition{
		Name:   "exists",
		Params: []Param{{"header names", syntax.List}},
		Test: func(c *Compiler, call *Call) Test {
			names := c.List(call.Args[0])
			w, ok := c.where(call)
			if !ok {
				return nil
			}
			return func(r *Run) bool {
				header := w.header(r)
				for _, n := range names {
					if !r.spend(costField*len(header)) || !hasField(header, message.Lower(n.Get(r))) {
						return false
					}
				}
				return true
			}
		},
	}
}

func hasField(header []*message.Field, key string) bool {
	for _, f := range header {
		if f.Key() == key {
			return true
		}
	}
	return false
}
