package sieve

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// notify and denotify are what was there before enotify (draft-martin-sieve-notify-01), as Pigeonhole had them: by mail
// only, to the addresses of :options. Old scripts have them.
func oldNotify() *Extension {
	const importance = "importance"
	grades := []Tag{
		{Name: "low", Group: importance}, {Name: "normal", Group: importance}, {Name: "high", Group: importance},
	}
	return &Extension{
		Name: "notify", Standard: "draft-martin-sieve-notify-01", Off: true, Excludes: []string{"enotify"},
		Definitions: []*Definition{
			{
				Name: "notify",
				Tags: append([]Tag{
					{Name: "method", Kind: syntax.String}, {Name: "id", Kind: syntax.String},
					{Name: "options", Kind: syntax.List}, {Name: "message", Kind: syntax.String},
				}, grades...),
				Command: oldNotifyCommand,
			},
			{
				Name: "denotify",
				Tags: append([]Tag{
					{Name: "is", Group: matchGroup, Kind: syntax.String}, {Name: "contains", Group: matchGroup, Kind: syntax.String},
					{Name: "matches", Group: matchGroup, Kind: syntax.String},
				}, grades...),
				Command: denotifyCommand,
			},
		},
	}
}

// oldImportance is that of the tags; empty if there is none.
func oldImportance(call *Call) string {
	return map[string]string{"high": "1", "normal": "2", "low": "3"}[call.Of("importance")]
}

func oldNotifyCommand(c *Compiler, call *Call) Step {
	if a := call.Tag("method"); a != nil && !strings.EqualFold(a.Text, "mailto") {
		c.Problem(a.Span, "", "the method '%s' is not supported: only mailto is", shorten(a.Text))
		return nil
	}
	id, text := Constant(""), Constant("$from$: $subject$")
	if a := call.Tag("id"); a != nil {
		id = c.Text(a)
	}
	if a := call.Tag("message"); a != nil {
		text = c.Text(a)
	}
	if !text.IsConstant() || strings.Contains(message.Lower(text.constant), "$text") {
		c.Need(NeedsBody)
	}
	to, ok := oldRecipients(c, call)
	fileTo, okCopy := fileCopy(c, call)
	if !ok || !okCopy {
		return nil
	}
	importance := oldImportance(call)
	if importance == "" {
		importance = "2"
	}
	return func(r *Run) {
		n := &Notify{ID: id.Get(r), Body: expandOld(r, text.Get(r)), Subject: "[SIEVE] New mail notification",
			Importance: importance, Copy: fileTo(r), Apart: true}
		for _, address := range to.Get(r) {
			a, problem := parseAddress(address)
			if problem != "" {
				r.Fail("the address '%s' is invalid: %s", shorten(address), problem)
				return
			}
			n.To = addRecipient(n.To, a)
		}
		r.traceAction("notify", strings.Join(to.Get(r), ", "))
		if len(n.To) > 0 {
			r.act(n)
		}
	}
}

// oldRecipients compiles the addresses of :options.
func oldRecipients(c *Compiler, call *Call) (List, bool) {
	a := call.Tag("options")
	if a == nil {
		c.problems.Warn(call.NameSpan(), "add: :options with addresses", "the notify command has no recipients")
		return nil, true
	}
	list, ok := c.List(a), true
	for i, e := range elements(a) {
		if _, problem := parseAddress(e.Text); list[i].IsConstant() && problem != "" {
			c.Problem(e.Span, "", "the address '%s' is invalid: %s", shorten(e.Text), problem)
			ok = false
		}
	}
	return list, ok
}

// oldVariable is what stands for a part of the mail in a text.
var oldVariable = regexp.MustCompile(`(?i)\$(from|env-from|subject|text(?:\[([0-9]{1,9})\])?)\$`)

// expandOld puts what the mail has in the place of $from$, $env-from$, $subject$, $text$ and $text[n]$.
func expandOld(r *Run, text string) string {
	return oldVariable.ReplaceAllStringFunc(text, func(v string) string {
		m := oldVariable.FindStringSubmatch(v)
		switch key := message.Lower(m[1]); key {
		case "from", "subject":
			value, _ := firstValue(r.header, key)
			return value
		case "env-from":
			return r.in.Envelope.From
		}
		plain := firstText(r)
		if n, err := strconv.ParseUint(m[2], 10, 32); err == nil {
			plain = firstCharacters(plain, n)
		}
		return r.fit(plain)
	})
}

// firstText is the first text of the message.
func firstText(r *Run) (text string) {
	root, err := r.message.Root()
	if !r.noted(err) {
		return ""
	}
	root.All(func(p *message.Part) bool {
		var found bool
		if text, found, err = r.plain(p); errors.Is(err, message.ErrText) {
			err = nil // of which the beginning is enough
		}
		return !found && err == nil && r.spend(len(text)+1)
	})
	r.noted(err)
	return text
}

// denotifyCommand takes back notifications of this script: all, or those of an id and an importance.
func denotifyCommand(c *Compiler, call *Call) Step {
	var m *Matcher
	if key := call.Tag(call.Of(matchGroup)); key != nil {
		if m = c.Matcher(call, key); m == nil {
			return nil
		}
	}
	importance := oldImportance(call)
	return func(r *Run) {
		r.traceAction("denotify", "")
		kept := r.result.Actions[:r.result.prior:r.result.prior]
		for _, a := range r.result.Actions[r.result.prior:] {
			n, ok := a.(*Notify)
			if !ok || importance != "" && n.Importance != importance || m != nil && !m.one(r, n.ID) {
				kept = append(kept, a)
			}
		}
		r.result.Actions = slices.Clip(kept)
	}
}
