package config

import (
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// A Rule is one [[rule]] table: mail with a header field goes into a folder.
type Rule struct {
	// Header is the field's name.
	Header string
	Which  RuleWhich
	Test   RuleTest
	Value  string
	// Folder is a name in UTF-8, with dots between levels.
	Folder string
	// Create makes the folder if it is missing.
	Create bool
	// Domains are the keys of the domains it is for; nil for all.
	Domains []string
}

// A RuleWhich says which of several fields of a name must fit.
type RuleWhich string

// The choices.
const (
	RuleAny   RuleWhich = "any"
	RuleFirst RuleWhich = "first"
	RuleLast  RuleWhich = "last"
)

// A RuleTest says what the value of the field must be.
type RuleTest string

// The tests.
const (
	RuleExists   RuleTest = "exists"
	RuleEquals   RuleTest = "equals"
	RuleContains RuleTest = "contains"
)

var ruleSection = table.Section[Rule]{
	Name: "rule",
	Doc: "A folder for mail with a certain header field, such as what a spam filter has marked. The first rule that " +
		"fits counts, and goes before a detail. See folders.md.",
	Sample:  []string{`header = "X-Spam-Flag"`, `equals = "YES"`, `folder = "Junk"`},
	Initial: Rule{Which: RuleAny, Test: RuleExists},
	Keys: []table.Key[Rule]{
		{Name: "header", Example: `"X-Spam-Flag"`, Required: true,
			Kind: table.Parsed("the name of a header field", parseHeaderName, func(r *Rule) *string { return &r.Header }),
			Doc:  "The field. Only the first 64 KiB of a header are looked at, and 8 KiB of a field."},
		{Name: "which", Default: `"any"`,
			Kind: table.Choice(func(r *Rule) *RuleWhich { return &r.Which },
				table.Option[RuleWhich]{Word: "any", Means: RuleAny},
				table.Option[RuleWhich]{Word: "first", Means: RuleFirst},
				table.Option[RuleWhich]{Word: "last", Means: RuleLast}),
			Doc: "Of several fields of that name the one that counts: any of them (of more than 100 the first 99 and the " +
				"last); the first, for filters that put theirs above all others; the last, for those that put it below."},
		{Name: "equals", Kind: table.Text("a text", setTest(RuleEquals)), Example: `"YES"`,
			Doc: "What the value of the field must be, without regard to case and to spaces around it. Default: anything, " +
				"as long as the field is there."},
		{Name: "contains", Kind: table.Text("a text", setTest(RuleContains)), Example: `"yes"`,
			Doc: "What must occur in the field, without regard to case. Not together with equals."},
		{Name: "folder", Example: `"Junk"`, Required: true,
			Kind: table.Parsed("a folder", parseAnything, func(r *Rule) *string { return &r.Folder }),
			Doc:  "The folder, in UTF-8, with dots between its levels."},
		{Name: "create", Kind: table.Toggle(func(r *Rule) *bool { return &r.Create }), Default: "true",
			Doc: "Make the folder if it is missing, regardless of limits.folders. With false such mail stays in the inbox."},
		{Name: "domains", Kind: table.ParsedList("domains",
			table.NotEmpty("no domain is named", "leave it out for all domains"),
			parseDomain, func(r *Rule) *[]string { return &r.Domains }),
			Example: `["example.org"]`,
			Doc:     "The domains of the accounts it is for. Default: all."},
	},
}

func parseHeaderName(s string) (string, error) {
	isOther := func(c rune) bool { return c <= ' ' || c > '~' || c == ':' }
	switch {
	case strings.HasSuffix(s, ":"):
		return "", hint.New(hint.Quote(s)+" ends in a colon", "write "+hint.Quote(strings.TrimSuffix(s, ":")))
	case s == "" || len(s) > 100 || strings.ContainsFunc(s, isOther):
		return "", hint.New(hint.Quote(s)+" is not the name of a header field",
			"printable ASCII without spaces and colons (RFC 5322 §3.6.8)")
	}
	return s, nil
}

// setTest takes the text of a test of the rule, which may have one.
func setTest(test RuleTest) func(r *Rule, v *table.Value, s string) error {
	return func(r *Rule, v *table.Value, s string) error {
		switch {
		case r.Test != RuleExists:
			v.AddKey("not together with "+string(r.Test), "write two rules")
			return nil
		case test == RuleContains && s == "":
			return hint.New("the text is empty", "leave it out, and the rule fits where the field is there")
		case s != strings.TrimSpace(s):
			return hint.New(hint.Quote(s)+" has spaces around it, which a field's value has not", "")
		}
		r.Test, r.Value = test, s
		return nil
	}
}

// checkRules checks what the rules say of domains and folders.
func checkRules(n *names, rules []Rule, encoding mailbox.FolderEncoding) {
	for i := range rules {
		rule, t := &rules[i], n.in.Element("rule", i)
		for j, v := range t.Elements("domains") {
			if ours, ok := n.domains[rule.Domains[j]]; ok {
				rule.Domains[j] = n.accounts.Domains[ours].Keys[0] // accounts have the key of the first name
			} else {
				n.refuseForeign(v, rule.Domains[j], writeDomain+hint.Quote(rule.Domains[j]))
			}
		}
		if v := t.Value("folder"); v != nil {
			v.Refuse(checkFolder(rule.Folder, encoding))
		}
	}
}

// checkFolder checks that a folder can have this name on disk.
func checkFolder(name string, encoding mailbox.FolderEncoding) error {
	if _, err := encoding.Dir(name); err != nil {
		why := strings.TrimPrefix(err.Error(), mailbox.ErrFolderName.Error()+": ")
		return hint.New(hint.Quote(name)+" cannot be a folder: "+why, `write "Junk", or "Lists.Go" for one below another`)
	}
	if encoding.IsRisky(name) {
		return hint.Warning(hint.Quote(name)+" has characters over which Courier's IMAP server breaks off",
			"choose a name without emoji, unless all is read by Dovecot")
	}
	return nil
}
