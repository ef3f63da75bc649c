package sieve

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// mail is what most tests filter.
const mail = "Received: from a.example by b.example; Mon, 23 Nov 2026 10:00:02 +0100\r\n" +
	"Received: from c.example by a.example; Mon, 23 Nov 2026 10:00:01 +0100\r\n" +
	"From: Bob <Bob+News@Example.com>\r\nTo: alice@example.org, =?utf-8?q?J=C3=BCrgen?= <jürgen@bücher.example>\r\n" +
	"Cc: team: x@xn--bcher-kva.example;\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from Bob\r\n" +
	"Date: Mon, 23 Nov 2026 09:59:00 +0000\r\nX-Spam-Score: 7\r\nX-Empty:\r\n" +
	"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nIt is in caf\xe9 9.\r\n"

// all lets scripts require everything.
var all = Options{Allowed: func(*Extension) bool { return true }}

// folders are those that a host has.
type folders []string

func (f folders) HasFolder(_ context.Context, name string) bool {
	for _, folder := range f {
		if folder == name {
			return true
		}
	}
	return false
}

func (folders) SpecialUse(_ context.Context, flag string) (string, bool) {
	return "Spam", flag == `\Junk`
}

func (folders) Seen(_ context.Context, handle, id string) bool { return handle == "h" && id == "seen" }

func (folders) Environment(item string) (string, bool) { return "host.example", item == "host" }

func input(t testing.TB, text string) *Input {
	t.Helper()
	m, err := message.Read(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return &Input{
		Spam: &Verdict{Field: "X-Spam-Score", Max: 10}, Message: m,
		Envelope: Envelope{From: "bob@example.com", To: "alice+lists@example.org"},
		Host:     folders{"INBOX", "Bills"}, Now: time.Date(2026, 11, 23, 10, 0, 3, 0, time.FixedZone("", 3600)),
	}
}

func compile(t testing.TB, script string, o Options) *Program {
	t.Helper()
	p, problems := Compile(&syntax.Source{Name: "s", Text: script}, o)
	if p == nil {
		t.Fatalf("%s\n%v", script, problems)
	}
	return p
}

// outcome says in a line what a result wants.
func outcome(r Result) string {
	var list []string
	for _, action := range r.Actions {
		switch a := action.(type) {
		case *Store:
			s := "store " + a.Folder
			if a.Implicit {
				s = "implicit keep"
			} else if a.Keep {
				s = "keep"
			}
			if a.Create {
				s += " create"
			}
			if len(a.Flags) > 0 {
				s += fmt.Sprint(" ", a.Flags)
			}
			for _, f := range a.Header {
				if strings.HasPrefix(f.Name, "X-Added") {
					s += " +" + f.Value()
				}
			}
			list = append(list, s)
		case *Redirect:
			list = append(list, "redirect "+a.To)
		case *Vacation:
			list = append(list, fmt.Sprintf("vacation %s %s %s %q %d %q", a.Reason, a.Subject, a.From, a.Addresses, a.Seconds,
				a.Handle))
		case *Notify:
			list = append(list, strings.TrimSpace(fmt.Sprint("notify ", addressTexts(a.To), addressTexts(a.Cc), " ", a.From,
				a.Message, a.Subject, a.Body)))
		case *Report:
			list = append(list, fmt.Sprintf("report %s %s %s %v", a.Type, a.To, a.Message, a.HeadersOnly))
		case *Reject:
			list = append(list, fmt.Sprintf("reject %s %v", a.Reason, a.Protocol))
		}
	}
	if r.Discarded {
		list = append(list, "discard")
	}
	if r.Err != nil {
		list = append(list, r.Err.Error())
	}
	return strings.Join(list, "; ")
}

func addressTexts(list []message.Address) (texts []string) {
	for _, a := range list {
		texts = append(texts, a.Text)
	}
	return texts
}

// TestTests: each is a test of the mail above that is true; the extensions that it needs come first.
func TestTests(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(`
|header "subject" "grüße FROM bob"
|not header :comparator "i;octet" "subject" "grüße from bob"
|header :contains ["x-none", "subject"] ["none", "BOB"]
|header :matches "Subject" "Gr??????from*"
|header :contains "x-empty" ""
|not header :contains "x-none" ""
|exists ["from", "SUBJECT"]
|not exists ["from", "x-none"]
|address "from" "bob+news@example.com"
|address :localpart "from" "bob+news"
|address :domain :comparator "i;octet" "from" "Example.com"
|address :domain "to" "xn--bcher-kva.example"
|address :domain "cc" "bücher.example"
|address :all "to" "jürgen@xn--bcher-kva.example"
|address :localpart "to" "jürgen"
subaddress|address :user "from" "bob"
subaddress|address :detail "from" "news"
subaddress|not address :detail :contains "to" ""
envelope|envelope "from" "bob@example.com"
envelope subaddress|envelope :detail "to" "lists"
envelope|not envelope :domain "from" "bob"
|size :over 100
|size :under 1K
|allof (true, not false, anyof (false, true))
|not anyof (false, not true)
relational|header :value "ge" :comparator "i;octet" "x-spam-score" "6"
relational comparator-i;ascii-numeric|header :value "lt" :comparator "i;ascii-numeric" "x-spam-score" "10"
relational comparator-i;ascii-numeric|address :count "eq" :comparator "i;ascii-numeric" "to" "2"
relational comparator-i;ascii-numeric|header :count "eq" :comparator "i;ascii-numeric" "x-none" "0"
relational comparator-i;ascii-numeric|not header :value "eq" :comparator "i;ascii-numeric" "subject" "1"
comparator-i;unicode-casemap|header :contains :comparator "i;unicode-casemap" "subject" "GRÜ"
index|header :index 2 :contains "received" "c.example"
index|header :index 1 :last :contains "received" "c.example"
index|not header :index 3 :contains "received" ""
date|date "date" "hour" "10"
date|date :originalzone "date" "time" "09:59:00"
date|date :zone "-0500" "date" "iso8601" "2026-11-23T04:59:00-05:00"
date index|date :index 2 "received" "second" "01"
date relational|currentdate :value "ge" "date" "2026-11-23"
date|currentdate "weekday" "1"
date|currentdate "julian" "61367"
mailbox|mailboxexists "Bills"
mailbox|not mailboxexists ["Bills", "None"]
environment|environment "host" "host.example"
environment|environment "phase" "during"
environment|not environment :contains "none" ""
body|body :contains "in café"
body|body :raw :contains "in caf"
body|body :content "text" :matches "It is in*"
body|not body :content "text/html" :contains ""
regex|header :regex "subject" "^gr.+ from (bob|eve)$"
regex|not header :regex :comparator "i;octet" "subject" "bob"
variables|string "${a}b" "b"
variables relational comparator-i;ascii-numeric|string :count "eq" :comparator "i;ascii-numeric" ["a", "", "b"] "2"
encoded-character|string "${hex: 41}${unicode:42}" "AB"
ihave|ihave ["fileinto", "copy"]
ihave|not ihave ["fileinto", "none"]
imap4flags|not hasflag ["a", "b"]
mime|header :mime :subtype "content-type" "plain"
mime|header :mime :contenttype "content-type" "text/plain"
mime|header :mime :param ["none", "charset"] "content-type" "iso-8859-1"
mime|exists :mime :anychild ["from", "subject"]
mime|address :mime :localpart "from" "bob+news"
special-use|specialuse_exists "Spam" "\\Junk"
special-use|not specialuse_exists ["\\Junk", "\\Sent"]
spamtest|spamtest "7"
spamtestplus|spamtest :percent "70"
virustest|virustest "0"
vnd.dovecot.environment|string "${env.host}" "host.example"
`), "\n") {
		required, test, _ := strings.Cut(line, "|")
		list := append(strings.Fields(required), "fileinto", "variables")
		script := fmt.Sprintf("require [\"%s\"];\nif %s { fileinto \"true\"; }", strings.Join(list, `", "`), test)
		if got := outcome(compile(t, script, all).Run(t.Context(), input(t, mail))); got != "store true" {
			t.Errorf("%s: %s", test, got)
		}
	}
}

// TestActions: what scripts want done.
func TestActions(t *testing.T) {
	for _, tt := range []struct{ require, script, want string }{
		{"", ``, "implicit keep"},
		{"", `keep; stop; discard;`, "keep"},
		{"", `discard;`, "discard"},
		{"", `discard; keep;`, "keep"},
		{"fileinto", `fileinto "A"; fileinto "B"; fileinto "A";`, "store A; store B"},
		{"fileinto", `fileinto "inbox"; keep;`, "keep"},
		{"fileinto copy", `fileinto :copy "A";`, "store A; implicit keep"},
		{"fileinto mailbox", `fileinto :create "A";`, "store A create"},
		{"", `redirect "a@b.example"; redirect "a@B.EXAMPLE"; redirect "A@b.example";`,
			"redirect a@b.example; redirect A@b.example"},
		{"", `redirect "用户@例え.example"; redirect "用户@xn--r8jz45g.example";`, "redirect 用户@例え.example"},
		{"copy", `redirect :copy "Bob <a@b.example>";`, "redirect a@b.example; implicit keep"},
		{"reject", `reject "no";`, "reject no false"},
		{"ereject", `ereject "no";`, "reject no true"},
		{"reject fileinto", "fileinto \"A\";\nreject \"no\";",
			"implicit keep; s:3:1: the reject action conflicts with the store action before it"},
		{"imap4flags fileinto", `setflag "\\Seen"; fileinto "A"; addflag ["$x y", "\\seen"]; keep; removeflag "Y"; fileinto "B";`,
			`store A [\Seen]; keep [\Seen $x y]; store B [\Seen $x]`},
		{"imap4flags fileinto", `fileinto "A"; addflag "x";`, "store A"},
		{"imap4flags", `keep :flags ["a b", "a", "(bad", "\\Recent"];`, "keep [a b]"},
		{"imap4flags fileinto", `fileinto :flags "a" "A"; fileinto :flags "b" "A";`, "store A [b]"},
		{"imap4flags", `addflag "implicit";`, "implicit keep [implicit]"},
		{"variables fileinto", `if header :matches "subject" "* from *" { fileinto "${2}/${1}"; }`, "store Bob/Grüße"},
		{"variables fileinto", `set :upper :length "a" "xyz"; set :lowerfirst "B" "XY"; fileinto "${A}${b}${c}${d";`,
			"store 3xY${d"},
		{"variables fileinto", `if header :matches "subject" "*" { if header :matches "from" "x*" {} fileinto "${1}"; }`,
			"store Grüße from Bob"},
		{"variables fileinto regex", `if header :regex "from" "<(.*)@" { fileinto "${1}${0}"; }`, "store Bob+News<Bob+News@"},
		{"fileinto", "if false { fileinto \"A\"; }\nelsif not true { fileinto \"B\"; } elsif true { fileinto \"C\"; }\n" +
			"else { fileinto \"D\"; }", "store C"},
		{"fileinto", `if true { if false { } } else { fileinto "D"; }`, "implicit keep"},
		{"editheader", `addheader "X-Added" "é"; addheader :last "X-Added" "2"; keep;`, "keep +é +2"},
		{"editheader fileinto", `deleteheader :contains "received" "c.example"; deleteheader "subject"; ` +
			`if not exists "subject" { fileinto "gone"; } if exists "received" { keep; }`, "store gone; keep"},
		{"editheader", `addheader "X-Added" "1"; error_is_none;`, ""},
		{"special-use fileinto", `fileinto :specialuse "\\Junk" "A"; fileinto :specialuse "\\Sent" "B";`, "store Spam; store B"},
		{"foreverypart fileinto", `foreverypart { foreverypart { fileinto "inner"; } fileinto "outer"; break; fileinto "x"; }`,
			"store outer"},
		{"foreverypart extracttext variables fileinto", `foreverypart { extracttext :first 9 "a"; fileinto "${a}"; }`,
			"store It is in "},
		{"vacation variables", `set "a" "b"; vacation :days 2 :subject " s ${a}" :addresses ["x@y.example"] "r ${a}";`,
			`vacation r b s b  ["x@y.example"] 172800 "r ${a}\x00subject s ${a}"; implicit keep`},
		{"vacation-seconds", `vacation :seconds 60 :from "a@b.example" :handle "h" "r";`,
			`vacation r  a@b.example [] 60 "h"; implicit keep`},
		{"vacation", "vacation \"a\";\nvacation \"b\";", "implicit keep; s:3:1: the script answers with vacation twice"},
		{"vacation reject", "vacation \"a\";\nreject \"b\";",
			"implicit keep; s:3:1: the reject action conflicts with the vacation action before it"},
		{"enotify", `notify "mailto:a@b.example";`, "notify [a@b.example] []; implicit keep"},
		{"enotify variables", `set "a" "m"; notify :from "x@y.example" :message "${a}" :importance "1" ` +
			`"mailto:a@b.example%2cc@d.example?cc=A@b.example%2ce@f.example&subject=s%20s&body=b&x-other=1";`,
			"notify [a@b.example c@d.example] [A@b.example e@f.example] x@y.examplems sb; implicit keep"},
		{"enotify", `notify "mailto:a@b.example?cc=c@d.example"; notify "mailto:a@B.example"; notify "mailto:e@b.example,c@d.example";`,
			"notify [a@b.example] [c@d.example]; notify [e@b.example] []; implicit keep"},
		{"enotify variables", `set "a" "tel:1"; notify "${a}";`,
			"implicit keep; s:2:18: the method 'tel:1' is not supported: only mailto is"},
		{"enotify", `notify "mailto:1@b.example"; notify "mailto:2@b.example"; notify "mailto:3@b.example";
notify "mailto:4@b.example"; notify "mailto:5@b.example";`,
			"implicit keep; s:3:30: number of notify actions exceeds policy limit: more than 4"},
		{"enotify fileinto", `if valid_notify_method ["mailto:a@b.example", "mailto:ü@bücher.example"] { fileinto "1"; }
if valid_notify_method "xmpp:a@b.example" { fileinto "2"; }
if notify_method_capability "mailto:a@b.example" "Online" "maybe" { fileinto "3"; }`, "store 1; store 3"},
		{"enotify variables fileinto", `set :encodeurl "a" "a b&ü"; fileinto "${a}";`, "store a%20b%26%C3%BC"},
		{"duplicate", `if duplicate :handle "h" :uniqueid "seen" { discard; }`, "discard"},
		{"duplicate", `if duplicate :uniqueid "seen" { discard; } if duplicate { discard; }`, "implicit keep"},
		{"vnd.dovecot.debug", `debug_log "x";`, "implicit keep"},
		{"ihave", `if ihave "none" { nonsense :tag ( 1; } else { discard; }`, ""},
		{"ihave", `if ihave "none" { nonsense :tag; } else { discard; }`, "discard"},
		{"ihave", `if not ihave "fileinto" { stop; } fileinto "A";`, "store A"},
		{"ihave", `error "why";`, "implicit keep; s:2:1: why"},
	} {
		script := "require [\"" + strings.Join(append(strings.Fields(tt.require), "envelope"), `", "`) + "\"];\n" + tt.script
		p, problems := Compile(&syntax.Source{Name: "s", Text: strings.Replace(script, "require", "require", 1)}, all)
		if p == nil {
			if tt.want != "" {
				t.Errorf("%s: %v", tt.script, problems)
			}
			continue
		}
		if got := outcome(p.Run(t.Context(), input(t, mail))); got != tt.want {
			t.Errorf("%s: %s; want %s", tt.script, got, tt.want)
		}
	}
}

// TestProblems: what is wrong with scripts, where, and what may be meant.
func TestProblems(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{`fileinto "A";`, `s:1:1: unknown command 'fileinto' (said of its first place only) (add: require "fileinto";)`},
		{`kepp;`, `s:1:1: unknown command 'kepp' (said of its first place only) (did you mean keep?)`},
		{`require "fileino";`, `s:1:9: unknown extension 'fileino' (did you mean fileinto?)`},
		{`require "mboxmetadata";`, `s:1:9: the extension 'mboxmetadata' is not supported (a Maildir has no metadata)`},
		{`require "editheader";`, `s:1:9: the extension 'editheader' is not allowed here`},
		{"keep;\nrequire \"copy\";", `s:2:1: the require command stands at the top of the script, before all others`},
		{`if header :bogus "a" "b" {}`,
			`s:1:11: unknown tagged argument ':bogus' for the header test (said of its first place only)`},
		{`if header :count "eq" "a" "1" {}`, `s:1:11: unknown tagged argument ':count' for the header test ` +
			`(said of its first place only) (add: require "relational";)`},
		{`if header :is :contains "a" "b" {}`,
			`s:1:15: encountered a duplicate match type for the header test: :contains besides :is (one of them has to go)`},
		{`if header :comparator "i;nonsense" "a" "b" {}`,
			`s:1:23: unknown comparator 'i;nonsense' for the header test`},
		{`if header "a" {}`, `s:1:4: the header test requires 2 positional arguments, but 1 are specified`},
		{`if header 1 "a" {}`,
			`s:1:11: the header test expects a string list as argument 1 (header names), but a number was found`},
		{`discard "x";`, `s:1:1: the discard command requires 0 positional arguments, but 1 are specified`},
		{`else {}`, `s:1:1: the else command follows neither if nor elsif`},
		{`if (true) {}`, `s:1:1: the if command requires one test, but a list of tests is specified ` +
			`(put anyof or allof before the list)`},
		{`if true;`, `s:1:1: the if command requires a block`},
		{`keep {}`, `s:1:1: the keep command takes no block`},
		{`header "a" "b";`, `s:1:1: attempted to use test 'header' as a command ` +
			`(tests stand after if, elsif, not, allof and anyof)`},
		{"keep\ndiscard;", `s:1:5: missing semicolon ';' after keep command`},
		{`if header is "a" "b" {}`, `s:1:4: the header test requires 2 positional arguments, but 0 are specified` +
			"\ns:1:11: missing colon ':' before ':is' tag in header test"},
		{`redirect "not an address";`, `s:1:10: the address 'not an address' is invalid: it has to be local@domain`},
		{`if address "subject" "a" {}`,
			`s:1:12: the header 'subject' is not allowed for the address test (use the header test)`},
		{`if size 1 {}`, `s:1:4: the size test requires :over or :under`},
		{`if size :over 99999999999G { discard; }`, `s:1:15: the number is larger than 18446744073709551615`},
		{`require "variables"; set "a.b" "c";`, `s:1:26: there is no namespace 'a' in which variables can be set`},
		{`require "variables"; set "a" "${foo.bar}";`, `s:1:30: there is no namespace 'foo' for variables`},
		{`require "variables"; set "1" "c";`, `s:1:26: match values such as ${1} cannot be set`},
		{`require ["variables"]; if string "${40}" "" {}`, `s:1:34: the match value ${40} is beyond ${32}`},
		{`require "regex"; if header :regex "a" "(a" {}`,
			`s:1:39: the regular expression '(a' is invalid: missing closing ): (a`},
		{`require "regex"; if header :regex "a" "(a)\\1" {}`,
			`s:1:39: the regular expression '(a)\1' is invalid: invalid escape sequence: \1`},
		{`require "regex"; if header :regex "a" "((a{100}){100}){100}" {}`, `s:1:39: the regular expression`},
		{`require "comparator-i;ascii-numeric"; if header :contains :comparator "i;ascii-numeric" "a" "1" {}`,
			`s:1:49: the comparator "i;ascii-numeric" supports no parts of texts, which :contains compares`},
		{`require "date"; if currentdate "century" "21" {}`,
			`s:1:32: a date has no part 'century': the test is never true (such as date, time, hour, weekday or iso8601)`},
		{`require "index"; if header :index 0 "a" "b" {}`, `s:1:35: the index of a field begins with 1`},
		{`require "include"; include "../x";`, `s:1:28: '../x' is no name of a script that can be included`},
		{`require "include"; include "self";`, `self:1:20: the script 'self' includes itself` +
			"\ns:1:20: the included script 'self' has problems"},
		{`require "mime"; if header :anychild "a" "b" {}`,
			`s:1:27: the :anychild tag of the header test cannot be specified without the :mime tag`},
		{`require "enotify"; notify "snailto:a@b.example";`,
			`s:1:27: the method 'snailto:a@b.example' is not supported: only mailto is`},
		{`require "enotify"; notify "mailto:a@b.example?x<=1";`, `s:1:27: the field name 'x<' is invalid`},
		{`require "enotify"; notify "mailto:a%23b.example";`, `s:1:27: the address 'a#b.example' is invalid: it has to be`},
		{`require "enotify"; notify "mailto:?subject=x";`, `s:1:27: the method has no recipient`},
		{`require "enotify"; notify :options "x" "mailto:a@b.example";`,
			`s:1:36: 'x' is no option (it is written as name=value)`},
		{`require "enotify"; notify :importance "4" "mailto:a@b.example";`, `s:1:39: the importance is "1", "2" or "3"`},
		{`require "foreverypart"; break;`, `s:1:25: the break command stands in no loop`},
		{`require "foreverypart"; foreverypart :name "a" { break :name "b"; }`,
			`s:1:62: the break command is in no loop named 'b'`},
		{`require ["extracttext", "variables"]; keep;`,
			`s:1:1: the extension 'extracttext' needs the extension 'foreverypart' (add: require "foreverypart";)`},
		{`require "imap4flags"; addflag "(bad";`, `s:1:31: '(bad' is no flag of IMAP (it is ignored)`},
	} {
		o := Options{Included: func(_, name string) (*syntax.Source, error) {
			return &syntax.Source{Name: name, Text: `require "include"; include "self";`}, nil
		}}
		_, problems := Compile(&syntax.Source{Name: "s", Text: tt.script}, o)
		var lines []string
		for _, p := range problems {
			lines = append(lines, p.String())
		}
		if got := strings.Join(lines, "\n"); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s\n%s\nwant\n%s", tt.script, got, tt.want)
		}
	}
}

// TestInclude: scripts share what they say they share; return ends one, and stop ends all.
func TestInclude(t *testing.T) {
	scripts := map[string]string{
		"personal a": `require ["include", "variables", "fileinto"]; global "g"; set "own" "a"; fileinto "${g}a${own}"; return; keep;`,
		"global a":   `require "fileinto"; fileinto "global";`,
		"personal s": `stop;`,
	}
	o := Options{Included: func(place, name string) (*syntax.Source, error) {
		text, ok := scripts[place+" "+name]
		if !ok {
			return nil, fmt.Errorf("there is no %s", name)
		}
		return &syntax.Source{Name: name, Text: text}, nil
	}}
	for script, want := range map[string]string{
		`global "g"; set "g" "1"; set "own" "x"; include "a"; fileinto "${own}";`: "store 1aa; store x",
		`include :global "a"; include :once "s"; fileinto "after";`:               "store global",
		`include :optional "none"; set "global.g" "2"; include :once "a"; set "global.g" "3"; include :once "a";`: "" +
			"store 2aa",
	} {
		p := compile(t, `require ["include", "variables", "fileinto"]; `+script, o)
		if got := outcome(p.Run(t.Context(), input(t, mail))); got != want {
			t.Errorf("%s: %s; want %s", script, got, want)
		}
	}
	for _, script := range []string{`include "none";`, `include :optional "none"; include "none";`} {
		if _, problems := Compile(&syntax.Source{Text: `require "include"; ` + script}, o); len(problems) != 1 {
			t.Errorf("%s: a script that is not there: %v", script, problems)
		}
	}
}

// TestSequence: a script goes on from what those before it decided.
func TestSequence(t *testing.T) {
	in := input(t, mail)
	first := compile(t, `require ["fileinto", "copy", "editheader", "imap4flags"];
fileinto :copy "A"; addheader "X-Added" "1"; setflag "f";`, all).Run(t.Context(), in)
	in.Prior = &first
	second := compile(t, `require ["fileinto", "editheader"]; if exists "x-added" { fileinto "B"; }`, all).
		Run(t.Context(), in)
	if got := outcome(second); got != "store A; store B [f] +1" {
		t.Error(got)
	}

	// What is decided counts as done: nothing excludes it, and no error undoes it.
	in = input(t, mail)
	first = compile(t, `require ["fileinto", "duplicate"]; if duplicate :uniqueid "a" {} fileinto "A";`, all).
		Run(t.Context(), in)
	in.Prior = &first
	for script, want := range map[string]string{
		`require "fileinto"; fileinto "A"; redirect "x@y.example";`: "store A; redirect x@y.example [{ a 604800}]",
		`require "reject"; reject "no";`:                            "store A; reject no false [{ a 604800}]",
		`require ["fileinto", "reject"]; fileinto "B"; reject "no";`: "store A; implicit keep; s:1:47: the reject action " +
			"conflicts with the store action before it [{ a 604800}]",
		`require ["imap4flags", "fileinto"]; fileinto :flags "f" "A";`:          "store A [f] [{ a 604800}]",
		`require ["ihave", "fileinto"]; fileinto "B"; error "why"; discard;`:    "store A; implicit keep; s:1:46: why [{ a 604800}]",
		`require "replace"; replace "x"; keep;`:                                 "store A; keep [{ a 604800}]",
		`require "duplicate"; if duplicate :uniqueid "a" { discard; } discard;`: "store A [{ a 604800}]",
	} {
		r := compile(t, script, all).Run(t.Context(), in)
		if got := outcome(r) + fmt.Sprint(" ", r.Marks); got != want {
			t.Errorf("%s: %s; want %s", script, got, want)
		}
	}
	if got := outcome(first); got != "store A" {
		t.Errorf("a script after it has changed the first: %s", got)
	}
}

// TestParts: what loops over the parts of a message see, one in another, and how they are left.
func TestParts(t *testing.T) {
	const multipart = "Subject: all\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX: 1\r\n\r\none\r\n" +
		"--a\r\nX: 2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: 3\r\n\r\nthree\r\n" +
		"--b--\r\n--a\r\nX: 4\r\n\r\n" +
		"four\r\n--a--\r\n"
	for script, want := range map[string]string{
		`foreverypart { set "a" "${a}-"; if header :mime :matches "x" "*" { set "a" "${a}${1}"; } } fileinto "${a}";`: "" +
			"store --1-2-3-4",
		`foreverypart { if header :mime "x" "2" { foreverypart { extracttext "b"; set "a" "${a}[${b}]"; } } }
fileinto "${a}";`: "store [three]",
		`foreverypart :name "n" { foreverypart { if header :mime "x" "3" { break :name "n"; } set "a" "${a}."; } }
fileinto "${a}";`: "store ..",
		`if header :mime :anychild "x" "3" { fileinto "found"; } if header "x" "3" { fileinto "not here"; }`: "store found",
	} {
		p := compile(t, `require ["fileinto", "variables", "mime", "foreverypart", "extracttext"];`+script, all)
		if got := outcome(p.Run(t.Context(), input(t, multipart))); got != want {
			t.Errorf("%s: %s; want %s", script, got, want)
		}
	}
}

// TestVerdict: the forms in which filters say what they think.
func TestVerdict(t *testing.T) {
	pattern := regexp.MustCompile(`score=(-?[0-9.]+)`)
	required := regexp.MustCompile(`required=([0-9.]+)`)
	for _, tt := range []struct {
		field string
		v     Verdict
		want  string
	}{
		{"X: Yes, score=4.0 required=5.0", Verdict{Field: "x", Pattern: pattern, MaxField: "X", MaxPattern: required}, "8"},
		{"X: No, score=-4.0 required=5.0", Verdict{Field: "x", Pattern: pattern, MaxField: "X", MaxPattern: required}, "1"},
		{"X: *****", Verdict{Field: "x", Length: true, Max: 5}, "10"},
		{"X: Ham", Verdict{Field: "x", Texts: []string{"Ham", "", "", "", "", "", "", "", "", "Spam"}}, "1"},
		{"X: Spam", Verdict{Field: "x", Texts: []string{"Ham", "", "", "", "", "", "", "", "", "Spam"}}, "10"},
		{"X: what", Verdict{Field: "x", Max: 5}, "0"},
		{"X: 3", Verdict{Field: "x"}, "0"},
		{"Y: 3", Verdict{Field: "x", Max: 5}, "0"},
		{"X: NaN", Verdict{Field: "x", Max: 5}, "0"},
	} {
		in := input(t, tt.field+"\r\n\r\n")
		in.Spam = &tt.v
		p := compile(t, `require ["spamtest", "fileinto", "variables"]; if spamtest :matches "*" { fileinto "${1}"; }`, all)
		if got := outcome(p.Run(t.Context(), in)); got != "store "+tt.want {
			t.Errorf("%s: %s, want %s", tt.field, got, tt.want)
		}
	}
}

// TestMarks: what is to be remembered of a message.
func TestMarks(t *testing.T) {
	for script, want := range map[string]string{
		`if duplicate {}`:                                                "[]", // it has no Message-ID
		`if duplicate :header "subject" {}`:                              "[{ Grüße from Bob 604800}]",
		`if duplicate :uniqueid "a" :seconds 5 {}`:                       "[{ a 5}]",
		`if duplicate :uniqueid "a" :seconds 0 {}`:                       "[]",
		`if duplicate :uniqueid "a" :seconds 99999999 {}`:                "[{ a 604800}]",
		`if duplicate :handle "h" :uniqueid "seen" {}`:                   "[]",
		`if duplicate :handle "h" :uniqueid "seen" :last {}`:             "[{h seen 604800}]",
		`if duplicate :uniqueid "a" { } redirect "${a}"; keep;`:          "[]", // an error
		`if anyof (duplicate :uniqueid "a", duplicate :uniqueid "a") {}`: "[{ a 604800}]",
	} {
		r := compile(t, `require ["duplicate", "variables"];`+script, all).Run(t.Context(), input(t, mail))
		if got := fmt.Sprint(r.Marks); got != want {
			t.Errorf("%s: %s, want %s", script, got, want)
		}
	}
}

// TestTrace: what is traced of a run.
func TestTrace(t *testing.T) {
	in := input(t, mail)
	var got []string
	in.Trace = func(e Event) {
		text := fmt.Sprintf("%d:%d %s%s", e.Line, e.Column, e.Test, e.Action)
		if e.Outcome != nil {
			text += fmt.Sprintf(" :%s %q %q %v", e.Match, e.Value, e.Key, *e.Outcome)
		} else {
			text += " " + e.Detail
		}
		got = append(got, text)
	}
	compile(t, "require \"fileinto\";\nif header :contains \"subject\" [\"x\", \"bob\"] {\n  fileinto \"A\"; }", all).
		Run(t.Context(), in)
	want := []string{`2:4 header :contains "Grüße from Bob" "bob" true`, `3:3 fileinto A`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestNeeds: what a program wants to see.
func TestNeeds(t *testing.T) {
	for script, want := range map[string]Needs{
		`if header "a" "b" { discard; }`:                    0,
		`if size :over 1 { discard; }`:                      NeedsSize,
		`require "body"; if body "a" {}`:                    NeedsBody,
		`require "mailbox"; if mailboxexists "a" { stop; }`: NeedsMailbox,
	} {
		if got := compile(t, script, all).Needs(); got != want {
			t.Errorf("%s needs %b, want %b", script, got, want)
		}
	}
}

// TestCuts: what is too long is cut, but not within what belongs together.
func TestCuts(t *testing.T) {
	o := all
	o.Limits.VariableSize = 10
	for script, want := range map[string]string{
		`set "a" "aaaaaaaaaü"; fileinto "${a}";`:                "store aaaaaaaaa",
		`set :quotewildcard "a" "aaaaaaaa*"; fileinto "${a}";`:  `store aaaaaaaa\*`,
		`set :quotewildcard "a" "aaaaaaaaa*"; fileinto "${a}";`: `store aaaaaaaaa`,
		`set :encodeurl "a" "aaaaaaaa/"; fileinto "${a}";`:      `store aaaaaaaa`,
		`set :encodeurl "a" "aaaaaaa/"; fileinto "${a}";`:       `store aaaaaaa%2F`,
		`set :encodeurl "a" "aaaaaü"; fileinto "${a}";`:         `store aaaaa`,
		`set :encodeurl "a" "aaaaü"; fileinto "${a}";`:          `store aaaa%C3%BC`,
		`set :length "a" "aaaaaaaaaaaaaa"; fileinto "${a}";`:    `store 10`,
	} {
		p := compile(t, `require ["fileinto", "variables", "enotify"];`+script, o)
		if got := outcome(p.Run(t.Context(), input(t, mail))); got != want {
			t.Errorf("%s: %s; want %s", script, got, want)
		}
	}
}
