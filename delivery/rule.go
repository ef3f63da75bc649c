package delivery

import (
	"mime"
	"slices"
	"strings"

	"github.com/emersion/go-message/textproto"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Rule puts mail with a certain header field into a folder, such as what a spam filter has
// marked. Of several the first that fits counts. It goes before a detail's folder.
type Rule struct {
	// Domains are the keys of the domains whose accounts it is for; nil for all.
	Domains []string
	// Field is the name of the header field, of which each one in the header counts.
	Field string
	// Test says what its value must be.
	Test  RuleTest
	Value string
	// Folder is the directory of the folder, as mailbox.FolderEncoding.Dir names it.
	Folder string
	// Make makes the folder where it is missing; else the mail goes to the inbox.
	Make bool
}

// A RuleTest compares a field's value: unfolded, with encoded words (RFC 2047) read, and without
// regard to case.
type RuleTest int

// The tests.
const (
	RuleExists RuleTest = iota
	RuleEquals
	RuleContains
)

// String gives the test in words.
func (t RuleTest) String() string { return [...]string{"exists", "equals", "contains"}[t] }

// isFor reports whether the rule is for an account.
func (r *Rule) isFor(a *directory.Account) bool {
	return r.Domains == nil || slices.Contains(r.Domains, a.Key.Domain)
}

// fits reports whether one of the values of the rule's field is what it wants.
func (r *Rule) fits(values []string) bool {
	want := strings.ToLower(r.Value)
	return slices.ContainsFunc(values, func(value string) bool {
		switch value = strings.ToLower(value); r.Test {
		case RuleEquals:
			return value == want
		case RuleContains:
			return strings.Contains(value, want)
		}
		return true
	})
}

// RulesFor gives the rules for the mail of an account, in order.
func (a *Agent) RulesFor(account *directory.Account) []*Rule {
	var rules []*Rule
	for i := range a.Rules {
		if a.Rules[i].isFor(account) {
			rules = append(rules, &a.Rules[i])
		}
	}
	return rules
}

// fileByHeader puts the copies into the folders that the rules want, now that the header is
// known. Copies that come to be for one folder become one.
func (t *transaction) fileByHeader(header textproto.Header) {
	var fitting []*Rule
	for i := range t.agent.Rules {
		if rule := &t.agent.Rules[i]; rule.fits(ruleValues(header, rule.Field)) {
			fitting = append(fitting, rule)
		}
	}
	if len(fitting) == 0 {
		return
	}
	before := t.copies
	t.copies = nil
	for i := range t.recipients {
		r := &t.recipients[i]
		for j := range r.parts {
			p := &r.parts[j]
			dest := before[p.copy].dest
			first := slices.IndexFunc(fitting, func(rule *Rule) bool { return rule.isFor(p.account) })
			if first >= 0 {
				dest = t.agent.destBy(fitting[first], dest)
			}
			p.copy = t.copyFor(placement{p.account, dest}, r.to)
		}
	}
}

// destBy gives the folder of a rule in the mailbox that a copy is for. Where it cannot be told
// whether it is there, the delivery will say why.
func (a *Agent) destBy(rule *Rule, to mailbox.Dest) mailbox.Dest {
	inbox := to.Inbox()
	folder := inbox
	folder.Folder = rule.Folder
	if rule.Make {
		folder.MakeFolder = mailbox.AnyNumber
		return folder
	}
	if there, err := a.Store.HasFolder(folder); err == nil && !there {
		return inbox
	}
	return folder
}

// ruleValues are what the fields of a name say, with encoded words read.
func ruleValues(header textproto.Header, name string) []string {
	values := header.Values(name)
	for i, text := range values {
		if read, err := new(mime.WordDecoder).DecodeHeader(text); err == nil {
			values[i] = read
		}
	}
	return values
}
