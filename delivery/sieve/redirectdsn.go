package sieve

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// redirect-dsn: of what the sender gets reports when mail is sent on (RFC 6009 §4).
func redirectDSN() *Extension {
	return &Extension{
		Name: "redirect-dsn", Standard: "RFC 6009 §4",
		Tags: map[string][]Tag{"redirect": {{Name: "notify", Kind: syntax.String}, {Name: "ret", Kind: syntax.String}}},
	}
}

// reports compiles the tags of redirect-dsn. What it returns sets them, and reports whether they are right.
func reports(c *Compiler, call *Call) (set func(*Run, *Redirect) bool, ok bool) {
	notify, ok := choice{"notify", notifyValue, `it is "NEVER", or some of "SUCCESS,FAILURE,DELAY"`}.compile(c, call)
	ret, okRet := choice{"ret", retValue, `it is "FULL" or "HDRS"`}.compile(c, call)
	return func(r *Run, a *Redirect) bool {
		a.Notify, a.Ret = notify(r), ret(r)
		return r.err == nil
	}, ok && okRet
}

// A choice is a tag whose parameter has to be one of some words.
type choice struct {
	tag  string
	read func(string) (value string, ok bool)
	hint string
}

// compile compiles the parameter.
func (o choice) compile(c *Compiler, call *Call) (func(*Run) string, bool) {
	a := call.Tag(o.tag)
	if a == nil {
		return func(*Run) string { return "" }, true
	}
	text := c.Text(a)
	if _, ok := o.read(text.constant); text.IsConstant() && !ok {
		c.Problem(a.Span, o.hint, "'%s' is no value of :%s", text.constant, o.tag)
		return nil, false
	}
	return func(r *Run) string {
		value, ok := o.read(text.Get(r))
		if !ok {
			r.Fail("'%s' is no value of :%s: %s", text.Get(r), o.tag, o.hint)
		}
		return value
	}, true
}

// notifyValue reads a value of NOTIFY (RFC 3461 §4.1): each word once, and NEVER alone.
func notifyValue(s string) (string, bool) {
	s = strings.ToUpper(s)
	words := strings.Split(s, ",")
	for i, word := range words {
		known := word == "NEVER" && len(words) == 1 || word == "SUCCESS" || word == "FAILURE" || word == "DELAY"
		if !known || slices.Contains(words[:i], word) {
			return s, false
		}
	}
	return s, true
}

// retValue reads a value of RET (RFC 3461 §4.3).
func retValue(s string) (string, bool) {
	s = strings.ToUpper(s)
	return s, s == "FULL" || s == "HDRS"
}
