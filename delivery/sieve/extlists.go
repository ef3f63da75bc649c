package sieve

import (
	"context"
	"fmt"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// Lists are lists outside of the script, such as address books (RFC 6134). Names are in their short form:
// ":addrbook:default", not "urn:ietf:params:sieve:addrbook:default".
type Lists interface {
	// HasList reports whether there is a list of a name.
	HasList(name string) bool
	// InList reports whether a list has a value. After an error the message is kept.
	InList(ctx context.Context, name, value string) (bool, error)
}

// extlists: the match type :list, and valid_ext_list (RFC 6134). Mail cannot be redirected to a list.
func extlists() *Extension {
	return &Extension{
		Name: "extlists", Standard: "RFC 6134", Off: true,
		Matches: []*MatchType{{Name: "list", check: checkList, prepare: prepareList}},
		Definitions: []*Definition{{
			Name:   "valid_ext_list",
			Params: []Param{{"list names", syntax.List}},
			Test: func(c *Compiler, call *Call) Test {
				names := c.List(call.Args[0])
				return func(r *Run) bool {
					for _, n := range names {
						if r.in.Lists == nil || !r.in.Lists.HasList(ListName(n.Get(r))) {
							return false
						}
					}
					return true
				}
			},
		}},
	}
}

// ListName returns the short form of the name of a list (RFC 6134 §2.8).
func ListName(name string) string {
	const long = "urn:ietf:params:sieve:"
	if len(name) > len(long) && strings.EqualFold(name[:len(long)], long) {
		return name[len(long)-1:]
	}
	return name
}

// checkList: the list itself says which values are equal (RFC 6134 §2.1).
func checkList(c *Compiler, call *Call, _ *Matcher) bool {
	span := call.TagSpan("comparator")
	if span != nil {
		c.Problem(*span, "the list itself compares", "the :list match type of %s takes no comparator", call.name())
	}
	return span == nil
}

func prepareList(_ *Matcher, key string) (compiled, error) {
	name := ListName(key)
	if i := strings.IndexByte(name, ':'); i < 0 || strings.ContainsAny(name, " \t\r\n") {
		return nil, fmt.Errorf("'%s' is no name of a list: it is a URI, such as :addrbook:default", shorten(key))
	}
	return func(r *Run, v value) bool {
		if r.in.Lists == nil || !r.in.Lists.HasList(name) {
			r.warnOnce("there is no list '" + name + "'")
			return false
		}
		found, err := r.in.Lists.InList(r.ctx, name, v.text)
		if err != nil {
			r.Fail("the list '%s' cannot be asked: %v", name, err)
			return false
		}
		if found && r.program.matches {
			r.scope.setMatches(v.text, nil)
		}
		return found
	}, nil
}

// A ListFile has the values of a list, one a line; what begins with # is a comment. Addresses are equal when they
// differ in the case of ASCII letters only.
type ListFile map[string]bool

// ReadList reads the values of a list.
func ReadList(text string) ListFile {
	values := ListFile{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			values[message.Lower(line)] = true
		}
	}
	return values
}

// Has reports whether a value is in the list.
func (l ListFile) Has(value string) bool { return l[message.Lower(value)] }
