package config

import (
	"strings"

	maildir "github.com/doorstep-mail/doorstep/mailbox" // the package has mailboxes of its own
)

// A Rule is one [[rule]] table: mail with a header field goes into a folder.
type Rule struct {
	// Header is the field's name.
	Header string
	Test   RuleTest
	Value  string
	// Folder is a name in UTF-8, with dots between levels.
	Folder string
	// Create makes the folder where it is missing.
	Create bool
	// Domains are the keys of the domains it is for; nil for all.
	Domains []string
}

// A RuleTest says what the value of the field must be.
type RuleTest string

// The tests.
const (
	RuleExists   RuleTest = "exists"
	RuleEquals   RuleTest = "equals"
	RuleContains RuleTest = "contains"
)

func ruleSection() section {
	return section{
		name: "rule", array: true, begin: beginRule,
		doc: "A folder for mail with a certain header field, such as what a spam filter has marked. The first rule that fits counts, and goes before a detail. See folders.md.",
		keys: []key{
			{
				name: "header", kind: text("the name of a header field", readRuleHeader), example: `"X-Spam-Flag"`, required: true,
				doc: "The field. Where there are several, one that fits is enough. Only the first 64 KiB of a header are looked at, and 8 KiB of a field.",
			},
			{
				name: "equals", kind: text("a text", func(r *reader, v value, s string) { r.readTest(v, RuleEquals, s) }), example: `"YES"`,
				doc: "What the field must say, without regard to case and to spaces around it. Default: anything, as long as it is there.",
			},
			{
				name: "contains", kind: text("a text", func(r *reader, v value, s string) { r.readTest(v, RuleContains, s) }), example: `"yes"`,
				doc: "What must occur in the field, without regard to case. Not together with equals.",
			},
			{
				name: "folder", kind: text("a folder", readRuleFolder), example: `"Junk"`, required: true,
				doc: "The folder, in UTF-8, with dots between its levels.",
			},
			{
				name: "create", kind: toggle(func(r *reader) *bool { return &r.rule.Create }), fallback: "true",
				doc: "Make the folder where it is missing, whatever limits.folders says. false leaves the mail in the inbox then.",
			},
			{
				name: "domains", kind: list("domains", beginRuleDomains, readRuleDomain), example: `["example.org"]`,
				doc: "The domains of the accounts it is for. Default: all.",
			},
		},
		sample: []string{`header = "X-Spam-Flag"`, `equals = "YES"`, `folder = "Junk"`},
	}
}

func beginRule(r *reader) int {
	r.config.Rules = append(r.config.Rules, Rule{Test: RuleExists})
	last := len(r.config.Rules) - 1
	r.rule = &r.config.Rules[last]
	return last
}

func readRuleHeader(r *reader, v value, s string) {
	switch {
	case strings.HasSuffix(s, ":"):
		r.problems.add(v.place(), quote(s)+" ends in a colon", "write "+quote(strings.TrimSuffix(s, ":")))
	case s == "" || len(s) > 100 || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == ':' }):
		r.problems.add(v.place(), quote(s)+" is not the name of a header field", "printable ASCII without spaces and colons (RFC 5322 §3.6.8)")
	default:
		r.rule.Header = s
	}
}

// readTest reads a test of the rule, which may have one.
func (r *reader) readTest(v value, test RuleTest, s string) {
	switch {
	case r.rule.Test != RuleExists:
		r.problems.add(v.name(), "not together with "+string(r.rule.Test), "write two rules")
	case test == RuleContains && s == "":
		r.problems.add(v.place(), "the text is empty", "leave it out, and the rule fits where the field is there")
	case s != strings.TrimSpace(s):
		r.problems.add(v.place(), quote(s)+" has spaces around it, which a field's value has not", "")
	default:
		r.rule.Test, r.rule.Value = test, s
	}
}

func readRuleFolder(r *reader, v value, s string) { r.rule.Folder = s }

func beginRuleDomains(r *reader, v value, length int) {
	if length == 0 {
		r.problems.add(v.place(), "no domain is named", "leave it out for all domains")
	}
}

func readRuleDomain(r *reader, v value, s string) {
	if key, ok := r.readDomain(v, s); ok {
		r.rule.Domains = append(r.rule.Domains, key)
	}
}

// checkRules checks what the rules say of domains and folders.
func (r *reader) checkRules() {
	domains := map[string]string{}
	for _, d := range r.config.Domains {
		for _, key := range d.Keys {
			domains[key] = d.Keys[0]
		}
	}
	encoding := maildir.FolderUTF7
	if r.config.Store.Folders == FoldersUTF8 {
		encoding = maildir.FolderUTF8
	}
	for i := range r.config.Rules {
		rule, path := &r.config.Rules[i], "rule["+itoa(i)+"]"
		for j, key := range rule.Domains {
			if ours, ok := domains[key]; ok {
				rule.Domains[j] = ours // accounts have the key of the first name
			} else if v, said := r.said[path+".domains["+itoa(j)+"]"]; said {
				r.foreign(v.place(), key)
			}
		}
		if v, said := r.said[path+".folder"]; said {
			if _, err := encoding.Dir(rule.Folder); err != nil {
				r.problems.add(v.place(), quote(rule.Folder)+" cannot be a folder: "+strings.TrimPrefix(err.Error(), maildir.ErrFolderName.Error()+": "), `write "Junk", or "Lists.Go" for one below another`)
			} else if encoding.IsRisky(rule.Folder) {
				r.problems.warn(v.place(), quote(rule.Folder)+" has characters over which Courier's IMAP server breaks off", "choose a name without emoji, unless all is read by Dovecot")
			}
		}
	}
}

// checkDetails refuses that strangers make directories in the homes of users: ~/.ssh would be
// one of a folder's.
func (r *reader) checkDetails() {
	if r.config.Store.Path != "{home}" {
		return
	}
	check := func(path string, d Details) {
		if v, said := r.said[path+".detail"]; said && d == DetailsCreate {
			r.problems.add(v.place(), "would let whoever sends mail make directories in home directories, such as ~/.ssh",
				`write store.path = "{home}/Maildir", or detail = "folder"`)
		}
	}
	for i, d := range r.config.Domains {
		check("domain["+itoa(i)+"]", d.Details)
	}
	for i, d := range r.config.Directories {
		check("directory["+itoa(i)+"]", d.Domains.Details)
	}
}
