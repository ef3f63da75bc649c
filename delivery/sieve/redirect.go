package sieve

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Redirect sends the message on.
type Redirect struct {
	To     string
	Header []*message.Field  // if it was edited
	Body   *io.SectionReader // if it was replaced
	// Notify and Ret are what the script wants reports of (RFC 3461 §4.1, §4.3); empty where it does not say.
	Notify, Ret string
	Place
}

// Verb implements Action.
func (*Redirect) Verb() string { return "redirect" }

const prohibited = "local policy prohibits the use of a %s action"

// redirect (RFC 5228 §4.2).
func redirectCommand() *Definition {
	return &Definition{
		Name:   "redirect",
		Params: []Param{{"address", syntax.String}},
		Command: func(c *Compiler, call *Call) Step {
			to := c.Text(call.Args[0])
			if to.IsConstant() {
				if _, problem := parseAddress(to.constant); problem != "" {
					c.Problem(call.Args[0].Span, "", "the address '%s' is invalid: %s", to.constant, problem)
					return nil
				}
			}
			if c.options.Limits.Redirects < 0 {
				c.Problem(call.NameSpan(), "", prohibited, "redirect")
				return nil
			}
			isCopy := call.Has("copy")
			dsn, ok := reports(c, call)
			if !ok {
				return nil
			}
			return func(r *Run) {
				a, problem := parseAddress(to.Get(r))
				if problem != "" {
					r.Fail("the address '%s' is invalid: %s", to.Get(r), problem)
					return
				}
				if !isCopy {
					r.result.keep = false
				}
				r.traceAction("redirect", a.Text)
				redirect := &Redirect{To: a.Text}
				redirect.Header, redirect.Body = r.sent().edited(r.in)
				if dsn(r, redirect) {
					r.act(redirect)
				}
			}
		},
	}
}

// merge finds the same address, and holds the limit.
func (a *Redirect) merge(r *Run) bool {
	n := 0
	for _, other := range r.result.Actions {
		if o, ok := other.(*Redirect); ok {
			n++
			if sameAddress(o.To, a.To) {
				return true
			}
		}
	}
	if r.limits.Redirects < 0 {
		r.Fail(prohibited, "redirect")
		return true
	}
	if n >= r.limits.Redirects {
		r.Fail("number of redirect actions exceeds policy limit: more than %d", r.limits.Redirects)
		return true
	}
	return false
}

// sameAddress reports whether mail for both goes to the same place: the domain has no case, and one form for its
// U-labels and A-labels (RFC 5890 §2.3.2.1).
func sameAddress(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	if a[:i] != b[:j] {
		return false
	}
	x, errX := address.DomainKey(a[i+1:])
	y, errY := address.DomainKey(b[j+1:])
	return errX == nil && errY == nil && x == y
}

// parseAddress takes an address of a script, which may have a name before it. It may be internationalized. The local
// part is what people write: dots may stand anywhere in it.
func parseAddress(text string) (a message.Address, problem string) {
	list := message.ParseAddresses(text)
	switch {
	case len(list) != 1:
		return a, "this is more than one address"
	case !list[0].Valid:
		return a, "it has to be local@domain"
	case !utf8.ValidString(text) || address.HasControl(text):
		return a, "it has characters that no address has"
	}
	a = list[0]
	if _, err := address.DomainKey(a.Domain); err != nil {
		return a, "this is no domain"
	}
	if strings.Contains(text, "<") && !strings.Contains(text, ">") {
		return a, "a closing > is missing"
	}
	if len(a.Text) > 320 {
		return a, "it is too long"
	}
	return a, ""
}
