package sieve

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A Notify lets other people know that the message has come.
type Notify struct {
	To, Cc []message.Address
	// From is who it is from; empty for the site.
	From string
	// Message is the text of the notification, Subject and Body what the method says of these; empty where there is none.
	Message, Subject, Body string
	// Importance is "1" for high, "2" or "3" for low.
	Importance string
	// ID is by what a script takes a notification back; Apart says that its recipients get mails of their own.
	ID    string
	Apart bool
	// Copy is where a copy of the mail goes (RFC 8580); nil for nowhere.
	Copy *Store
	Place
}

// Verb implements Action.
func (*Notify) Verb() string { return "notify" }

// merge leaves out who is notified already, and holds the limit.
func (n *Notify) merge(r *Run) bool {
	count := 0
	for _, other := range r.result.Actions {
		o, ok := other.(*Notify)
		if !ok {
			continue
		}
		count++
		known := func(a message.Address) bool { return isAmong(a, o.To) || isAmong(a, o.Cc) }
		n.To, n.Cc = slices.DeleteFunc(n.To, known), slices.DeleteFunc(n.Cc, known)
	}
	n.Cc = slices.DeleteFunc(n.Cc, func(a message.Address) bool { return isAmong(a, n.To) })
	if len(n.To)+len(n.Cc) == 0 {
		return true
	}
	if r.limits.Notifications < 0 {
		r.Fail(prohibited, "notify")
		return true
	}
	if count >= r.limits.Notifications {
		r.Fail("number of notify actions exceeds policy limit: more than %d", r.limits.Notifications)
		return true
	}
	return false
}

// enotify: notify by mail (RFC 5435, RFC 5436).
func enotify() *Extension {
	return &Extension{
		Name: "enotify", Standard: "RFC 5435, 5436",
		Definitions: []*Definition{
			{
				Name: "notify",
				Tags: []Tag{
					{Name: "from", Kind: syntax.String}, {Name: "importance", Kind: syntax.String},
					{Name: "options", Kind: syntax.List}, {Name: "message", Kind: syntax.String},
				},
				Params:  []Param{{"method", syntax.String}},
				Command: notifyCommand,
			},
			{
				Name:   "valid_notify_method",
				Params: []Param{{"notification URIs", syntax.List}},
				Test: func(c *Compiler, call *Call) Test {
					list := c.List(call.Args[0])
					return func(r *Run) bool {
						return !slices.ContainsFunc(list, func(t Text) bool { return !isMethod(t.Get(r)) })
					}
				},
			},
			{
				Name: "notify_method_capability",
				Params: []Param{
					{"notification URI", syntax.String}, {"notification capability", syntax.String}, {"key list", syntax.List},
				},
				Compares: true,
				Test:     capabilityTest,
			},
		},
		Modifiers: []*Modifier{{Name: "encodeurl", precedence: 15, apply: encodeURL, cut: cutEncoded}},
	}
}

func isMethod(uri string) bool {
	_, err := parseMailto(uri)
	return err == nil
}

// capabilityTest: of mail it is not known whether its recipient reads it now (RFC 5436 §2.1), and a copy of it can be
// filed (RFC 8580 §3.2).
func capabilityTest(c *Compiler, call *Call) Test {
	known := map[string]string{"online": "maybe"}
	if c.active["fcc"] {
		known["fcc"] = "yes"
	}
	uri, capability := c.Text(call.Args[0]), c.Text(call.Args[1])
	m := c.Matcher(call, call.Args[2])
	if m == nil {
		return nil
	}
	return func(r *Run) bool {
		value := known[message.Lower(capability.Get(r))]
		if !isMethod(uri.Get(r)) || value == "" {
			return false
		}
		search := m.Search()
		return search.Try(r, value) || search.End(r)
	}
}

func notifyCommand(c *Compiler, call *Call) Step {
	method, texts := c.Text(call.Args[0]), map[string]Text{}
	for _, tag := range []string{"from", "importance", "message"} {
		if a := call.Tag(tag); a != nil {
			texts[tag] = c.Text(a)
		}
	}
	fileTo, ok := fileCopy(c, call)
	if !ok || !checkNotify(c, call, method, texts) {
		return nil
	}
	return func(r *Run) {
		n, problem := newNotify(method.Get(r), texts["from"].Get(r))
		if problem != "" {
			r.Fail("%s", problem)
			return
		}
		n.Message, n.Importance, n.Copy = texts["message"].Get(r), texts["importance"].Get(r), fileTo(r)
		r.traceAction("notify", method.Get(r))
		r.act(n)
	}
}

// newNotify makes a notification of a method and a sender.
func newNotify(method, from string) (n *Notify, problem string) {
	m, err := parseMailto(method)
	if err != nil {
		return nil, err.Error()
	}
	if from != "" {
		if _, problem := parseAddress(from); problem != "" {
			return nil, "the address '" + from + "' is invalid: " + problem
		}
	}
	return &Notify{To: m.to, Cc: m.cc, From: from, Subject: m.subject, Body: m.body}, ""
}

// checkNotify notes what is wrong with arguments that are constant.
func checkNotify(c *Compiler, call *Call, method Text, texts map[string]Text) bool {
	if c.options.Limits.Notifications < 0 {
		c.Problem(call.NameSpan(), "", prohibited, "notify")
		return false
	}
	if method.IsConstant() {
		if _, err := parseMailto(method.constant); err != nil {
			c.Problem(call.Args[0].Span, "", "%v", err)
			return false
		}
	}
	if a := call.Tag("from"); a != nil && texts["from"].IsConstant() {
		if _, problem := parseAddress(a.Text); problem != "" {
			c.Problem(a.Span, "", "the address '%s' is invalid: %s", a.Text, problem)
			return false
		}
	}
	if t := texts["importance"]; t.constant != "" && !slices.Contains([]string{"1", "2", "3"}, t.constant) {
		c.Problem(call.Tag("importance").Span, "", `the importance is "1", "2" or "3"`)
		return false
	}
	if a := call.Tag("options"); a != nil {
		for _, option := range elements(a) {
			if !isOption(option.Text) {
				c.Problem(option.Span, "it is written as name=value", "'%s' is no option", shorten(option.Text))
				return false
			}
		}
	}
	return true
}

// isOption reports whether a text is an option of a method (RFC 5435 §3.5). mailto has none that mean anything.
func isOption(s string) bool {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" || strings.ContainsAny(value, "\r\n") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		plain := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
		if !plain && (i == 0 || strings.IndexByte("-._", c) < 0) {
			return false
		}
	}
	return true
}

// encodeURL escapes what does not stand for itself in a URI (RFC 5435 §6).
func encodeURL(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// cutEncoded cuts an escaped text between two characters.
func cutEncoded(s string, n int) string {
	at := 0
	for at < len(s) {
		next := at + 1
		if s[at] == '%' && at+3 <= len(s) {
			lead, _ := url.PathUnescape(s[at : at+3])
			next = at + 3*sequence(lead[0])
		}
		if next > n {
			break
		}
		at = next
	}
	return s[:at]
}

// sequence is how many octets a character of UTF-8 has that begins with an octet.
func sequence(lead byte) int {
	switch {
	case lead >= 0xf0:
		return utf8.UTFMax
	case lead >= 0xe0:
		return 3
	case lead >= 0xc0:
		return 2
	}
	return 1
}
