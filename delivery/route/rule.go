package route

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-message/textproto"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/mailbox"
	"github.com/doorstep-mail/doorstep/mailbox/words"
)

// A Rule puts mail with a certain header field into a folder, such as what a spam filter has
// marked. Of several the first that fits counts. It goes before a detail's folder.
type Rule struct {
	// Domains are the keys of the domains whose accounts it is for; nil for all.
	Domains []string
	// Field is the name of the header field, and Which the one of several that must fit. [any of them]
	Field string
	Which RuleWhich
	// Test says what its value must be.
	Test  RuleTest
	Value string
	// Folder is the directory of the folder, as mailbox.FolderEncoding.Dir names it.
	Folder string
	// Make makes the folder where it is missing; else the mail goes to the inbox.
	Make bool
}

// A RuleWhich chooses among the fields of a name.
type RuleWhich int

// The choices. A program that puts its field above those of the sender means the first, one that puts it below them the
// last.
const (
	RuleAny RuleWhich = iota
	RuleFirst
	RuleLast
)

// String returns the choice in a word.
func (w RuleWhich) String() string { return [...]string{"any", "first", "last"}[w] }

// A RuleTest compares a field's value: unfolded, with encoded words (RFC 2047) read, and without
// regard to case and to the normalization form of Unicode.
type RuleTest int

// The tests.
const (
	RuleExists RuleTest = iota
	RuleEquals
	RuleContains
)

// String returns the test in words.
func (t RuleTest) String() string { return [...]string{"exists", "equals", "contains"}[t] }

// isFor reports whether the rule is for an account.
func (r *Rule) isFor(a *directory.Account) bool {
	return r.Domains == nil || slices.Contains(r.Domains, a.Key.Domain)
}

// fits reports whether of the values of the rule's field, as words.Fold leaves them, the one that counts is what it
// wants.
func (r *Rule) fits(values []string) bool {
	switch n := len(values); {
	case n == 0:
		return false
	case r.Which == RuleFirst:
		values = values[:1]
	case r.Which == RuleLast:
		values = values[n-1:]
	}
	want := words.Fold(r.Value)
	return slices.ContainsFunc(values, func(value string) bool {
		switch r.Test {
		case RuleEquals:
			return value == want
		case RuleContains:
			return strings.Contains(value, want)
		}
		return true
	})
}

// Asks reports whether a rule looks at the header fields of a name.
func (r *Router) Asks(name []byte) bool {
	return slices.ContainsFunc(r.Rules, func(rule Rule) bool { return strings.EqualFold(rule.Field, string(name)) })
}

// Fitting returns the rules that fit a header, in order.
func (r *Router) Fitting(header textproto.Header) []*Rule {
	var fitting []*Rule
	read := make(map[string][]string, 1) // by the name of the field
	for i := range r.Rules {
		rule := &r.Rules[i]
		name := strings.ToLower(rule.Field)
		values, known := read[name]
		if !known {
			values = ruleValues(header, name)
			read[name] = values
		}
		if rule.fits(values) {
			fitting = append(fitting, rule)
		}
	}
	return fitting
}

// File changes an action by the first of the fitting rules that is for its account: the message goes
// into the rule's folder, or into the inbox where that is missing and not made. Where it cannot be found out whether it
// is there, the delivery will say why.
func (r *Router) File(a Action, fitting []*Rule) Action {
	box := a.For()
	i := slices.IndexFunc(fitting, func(rule *Rule) bool { return rule.isFor(box.Account) })
	if i < 0 {
		return a
	}
	rule := fitting[i]
	file := File{Mailbox: box, Folder: rule.Folder}
	if rule.Make {
		file.Make = mailbox.AnyNumber
	}
	// The store itself bounds the wait.
	found, there, err := r.Store.FindFolder(context.Background(), file.Dest())
	file.Folder = found.Folder
	if there || err != nil && !errors.Is(err, mailbox.ErrFolderTwins) {
		return file
	}
	if !rule.Make {
		return Keep{box}
	}
	name, _ := r.Folders.Read(rule.Folder)
	file.New = words.Fold(name)
	return file
}

// ruleValues are what the fields of a name say, with encoded words read, as words.Fold leaves it.
func ruleValues(header textproto.Header, name string) []string {
	values := header.Values(name)
	for i, text := range values {
		values[i] = words.Fold(words.Read(text))
	}
	return values
}
