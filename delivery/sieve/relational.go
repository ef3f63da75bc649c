package sieve

import (
	"errors"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// relational: :value and :count (RFC 5231).
func relational() *Extension {
	return &Extension{
		Name: "relational", Standard: "RFC 5231",
		Matches: []*MatchType{
			{Name: "value", Kind: syntax.String, check: checkRelation, prepare: relate},
			{Name: "count", Kind: syntax.String, check: checkRelation, prepare: relate, counts: true},
		},
	}
}

// relations are the operators (RFC 5231 §4).
var relations = map[string]func(int) bool{
	"gt": func(n int) bool { return n > 0 },
	"ge": func(n int) bool { return n >= 0 },
	"lt": func(n int) bool { return n < 0 },
	"le": func(n int) bool { return n <= 0 },
	"eq": func(n int) bool { return n == 0 },
	"ne": func(n int) bool { return n != 0 },
}

func checkRelation(c *Compiler, call *Call, m *Matcher) bool {
	a := call.Tag(m.match.Name)
	m.relation = relations[a.Text]
	if m.relation == nil {
		c.Problem(a.Span, "there are gt, ge, lt, le, eq and ne", "unknown relation '%s' for :%s", a.Text, m.match.Name)
	}
	return m.relation != nil
}

var errNoRelation = errors.New("the relation is missing")

func relate(m *Matcher, key string) (compiled, error) {
	if m.relation == nil {
		return nil, errNoRelation
	}
	key = m.comparator.canonical(key)
	return func(_ *Run, v value) bool { return m.relation(m.comparator.order(v.canonical, key)) }, nil
}
