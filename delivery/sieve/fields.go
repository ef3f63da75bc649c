package sieve

import (
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// selection is which fields of the header a test looks at: those of some names, or the n-th of each (RFC 5260 §6).
type selection struct {
	names List
	keys  []string // in lower case; empty for names with variables
	index uint64   // from 1; 0 is all
	last  bool     // counted from the last
	where where
}

// selection compiles the names of fields and the tags of index.
func (c *Compiler) selection(call *Call, names *syntax.Argument) (*selection, bool) {
	s := &selection{names: c.List(names), last: call.Has("last")}
	for _, n := range s.names {
		s.keys = append(s.keys, message.Lower(n.constant))
	}
	if a := call.Tag("index"); a != nil {
		if s.index = a.Number; s.index == 0 {
			c.Problem(a.Span, "", "the index of a field begins with 1")
			return nil, false
		}
	}
	if s.last && s.index == 0 {
		c.Problem(*call.TagSpan("last"), "", "the :last tag of %s cannot be specified without the :index tag", call.name())
		return nil, false
	}
	var ok bool
	s.where, ok = c.where(call)
	return s, ok
}

// A fieldIter goes over the fields of a selection.
type fieldIter struct {
	s      *selection
	header []*message.Field
	name   int // of s.names
	at     int // of header
	seen   uint64
	key    string
}

func (s *selection) fields(r *Run) fieldIter { return fieldIter{s: s, header: s.where.header(r)} }

// next returns the next field, or nil.
func (it *fieldIter) next(r *Run) *message.Field {
	for ; it.name < len(it.s.names); it.name++ {
		if it.at == 0 {
			it.seen = 0
			if it.key = it.s.keys[it.name]; it.key == "" {
				it.key = message.Lower(it.s.names[it.name].Get(r))
			}
			if !r.spend(costField * len(it.header)) {
				return nil
			}
		}
		for it.at < len(it.header) {
			at := it.at
			if it.s.last {
				at = len(it.header) - 1 - at
			}
			it.at++
			f := it.header[at]
			if f.Key() != it.key {
				continue
			}
			if it.seen++; it.s.index == 0 || it.s.index == it.seen {
				return f
			}
		}
		it.at = 0
	}
	return nil
}

// index lets tests look at one of several fields (RFC 5260 §6).
func indexExtension() *Extension {
	tags := []Tag{{Name: "index", Kind: syntax.Number}, {Name: "last"}}
	return &Extension{
		Name: "index", Standard: "RFC 5260 §6",
		Tags: map[string][]Tag{"header": tags, "address": tags, "date": tags},
	}
}
