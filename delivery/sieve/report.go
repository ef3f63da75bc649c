package sieve

import (
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Report sends a report of abuse to whom it may concern (RFC 5965).
type Report struct {
	// Type is what the report is about, such as "abuse": a token.
	Type string
	// Message is the text for people.
	Message string
	To      string
	// HeadersOnly says that the report has the header of the message and not all of it.
	HeadersOnly bool
	Place
}

// Verb implements Action.
func (*Report) Verb() string { return "report" }

// merge finds a report of the same type to the same address, of which the first one counts (spec-bosch-sieve-report
// §3), and holds the limit, which is that of notifications.
func (a *Report) merge(r *Run) bool {
	n := 0
	for _, other := range r.result.Actions {
		o, ok := other.(*Report)
		if !ok {
			continue
		}
		n++
		if strings.EqualFold(o.Type, a.Type) && sameAddress(o.To, a.To) {
			return true
		}
	}
	if n == r.limits.Notifications {
		r.Fail("number of report actions exceeds policy limit: more than %d", r.limits.Notifications)
		return true
	}
	return false
}

// report sends reports of abuse (Pigeonhole's vnd.dovecot.report).
func report() *Extension {
	return &Extension{
		Name: "vnd.dovecot.report", Standard: "Pigeonhole, RFC 5965", Off: true,
		Definitions: []*Definition{{
			Name: "report",
			Tags: []Tag{{Name: "headers_only"}},
			Params: []Param{
				{"feedback type", syntax.String}, {"message", syntax.String}, {"address", syntax.String},
			},
			Command: reportCommand,
		}},
	}
}

func reportCommand(c *Compiler, call *Call) Step {
	kind, text, to := c.Text(call.Args[0]), c.Text(call.Args[1]), c.Text(call.Args[2])
	if kind.IsConstant() && !isToken(strings.TrimSpace(kind.constant)) {
		c.Problem(call.Args[0].Span, `such as "abuse", "fraud" or "not-spam"`, "'%s' is no type of a report",
			shorten(kind.constant))
		return nil
	}
	if to.IsConstant() {
		if _, problem := parseAddress(to.constant); problem != "" {
			c.Problem(call.Args[2].Span, "", "the address '%s' is invalid: %s", to.constant, problem)
			return nil
		}
	}
	headersOnly := call.Has("headers_only")
	return func(r *Run) {
		a := &Report{Type: strings.TrimSpace(kind.Get(r)), Message: text.Get(r), HeadersOnly: headersOnly}
		address, problem := parseAddress(to.Get(r))
		switch a.To = address.Text; {
		case !isToken(a.Type):
			r.Fail("'%s' is no type of a report", shorten(a.Type))
		case problem != "":
			r.Fail("the address '%s' is invalid: %s", to.Get(r), problem)
		default:
			r.traceAction("report", a.Type+" to "+a.To)
			r.act(a)
		}
	}
}

// isToken reports whether a text is a token (RFC 2045 §5.1).
func isToken(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?=`, c)
	})
}
