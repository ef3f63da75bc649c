package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// environment: where the script runs (RFC 5183).
func environment() *Extension {
	return &Extension{
		Name: "environment", Standard: "RFC 5183",
		Definitions: []*Definition{{
			Name:     "environment",
			Params:   []Param{{"name", syntax.String}, {"key list", syntax.List}},
			Compares: true,
			Test: func(c *Compiler, call *Call) Test {
				name, m := c.Text(call.Args[0]), c.Matcher(call, call.Args[1])
				if m == nil {
					return nil
				}
				return func(r *Run) bool {
					value, ok := r.environment(message.Lower(name.Get(r)))
					if !ok {
						return false // even with :count "eq" "0" (RFC 5183 §4)
					}
					search := m.Search()
					return search.Try(r, value) || search.End(r)
				}
			},
		}},
	}
}

// vndEnvironment makes items of the environment variables, and adds some of the host's (Pigeonhole's
// vnd.dovecot.environment).
func vndEnvironment() *Extension {
	return &Extension{
		Name: "vnd.dovecot.environment", Standard: "Pigeonhole", Off: true,
		Implies: []string{"environment"},
		Namespaces: map[string]func(*Compiler, syntax.Span, string) Text{
			// names of variables have no hyphens: "_" stands for them
			"env": func(_ *Compiler, _ syntax.Span, item string) Text {
				return Computed(func(r *Run) string {
					value, _ := r.environment(strings.ReplaceAll(item, "_", "-"))
					return value
				})
			},
		},
	}
}

// environment returns an item. What the host does not know are those of RFC 5183 §4.1.
func (r *Run) environment(item string) (string, bool) {
	if value, ok := r.in.Host.Environment(item); ok {
		return value, true
	}
	value, ok := map[string]string{"location": "MDA", "phase": "during", "name": "Doorstep Sieve", "version": ""}[item]
	return value, ok
}
