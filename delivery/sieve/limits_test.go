package sieve

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// repeated is n times a text with its number.
func repeated(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestLimits: each limit is an error at a place of the script, when it is compiled or when it runs, and the message is
// kept. Just within the limit there is none.
func TestLimits(t *testing.T) {
	multipart := func(parts int) string {
		return "Content-Type: multipart/mixed; boundary=a\r\n\r\n" + repeated(parts, "--a\r\n\r\n%d\r\n") + "--a--\r\n"
	}
	deep := func(n int) string {
		return strings.Repeat("Content-Type: message/rfc822\r\n\r\n", n) + "Subject: x\r\n\r\ntext\r\n"
	}
	long := func(n int) string { return "Subject: x\r\n\r\n" + strings.Repeat("aaaaaaa\r\n", n/9+1) }
	for _, tt := range []struct {
		name, script, mail, want string
		within                   string // the same script within the limit
	}{
		{"script", "#" + strings.Repeat("x", syntax.MaxText), mail, "s:1:1: the script has 1048577 octets", "keep;"},
		{"words", "\n" + strings.Repeat("keep;", 50_001), mail, "s:2:250000: the script has more than 100000",
			strings.Repeat("keep;", 49_999)},
		{"blocks", strings.Repeat("if true {", 33), mail, "s:1:289: blocks are nested deeper than 32 levels",
			strings.Repeat("if true {", 31) + strings.Repeat("}", 31)},
		{"tests", "if " + strings.Repeat("not ", 33) + "true {}", mail, "s:1:132: tests are nested deeper than 32 levels",
			"if " + strings.Repeat("not ", 31) + "true {}"},
		{"arguments", "keep " + strings.Repeat("1 ", 33) + ";", mail, "s:1:70: 'keep' has more than 32 arguments", "keep;"},
		{"numbers", "\nif size :over 18446744073709551616 {}", mail, "s:2:15: the number is larger than",
			"if size :over 18446744073709551615 {}"},
		{"numbers with units", "if size :over 18014398509481984K {}", mail, "s:1:15: the number is larger than",
			"if size :over 18014398509481983K {}"},
		{"variables", "require \"variables\";\n" + repeated(257, "set \"v%d\" \"x\";\n"), mail,
			"s:258:5: the script has more than 256 variables", `require "variables";` + repeated(256, `set "v%d" "x";`)},
		{"names of variables", `require "variables"; set "` + strings.Repeat("v", 65) + `" "x";`, mail,
			"s:1:26: the name of the variable is longer than 64",
			`require "variables"; set "` + strings.Repeat("v", 64) + `" "x";`},
		{"included scripts",
			"require \"include\";\n" + repeated(65, "include \"i%d\";\n"), mail,
			"s:66:1: more than 64 scripts are included", `require "include";` + repeated(64, `include "i%d";`)},
		{"depth of included scripts", `require "include"; include "deep11";`, mail,
			"deep2:1:20: scripts include one another more than 10 deep",
			`require "include"; include "deep10";`},
		{"actions", "require \"fileinto\";\n" + repeated(33, "fileinto \"f%d\";\n"), mail,
			"s:34:1: total number of actions exceeds policy limit", `require "fileinto";` + repeated(32, `fileinto "f%d";`)},
		{"redirects", repeated(5, "redirect \"a%d@b.example\";\n"), mail, "s:5:1: number of redirect actions exceeds",
			repeated(4, `redirect "a%d@b.example";`)},
		{"notifications", "require \"enotify\";" + repeated(5, "notify \"mailto:a%d@b.example\";\n"), mail,
			"s:5:1: number of notify actions exceeds", `require "enotify";` + repeated(4, `notify "mailto:a%d@b.example";`)},
		{"answers", "require \"vacation\";\nvacation \"a\";\nvacation \"b\";", mail,
			"s:3:1: the script answers with vacation twice",
			`require "vacation"; vacation "a";`},
		{"expressions", `require "regex"; if header :regex "x" "` + strings.Repeat("a", 2000) + `" {}`, mail,
			"s:1:39: the regular expression is too large",
			`require "regex"; if header :regex "x" "` + strings.Repeat("a", 1900) + `" {}`},
		{"expressions with variables", "require [\"regex\", \"variables\"];\nset \"a\" \"" + strings.Repeat("a", 1000) +
			"\";\n" +
			`if header :regex "subject" "${a}${a}" {}`, mail, "s:3:4: the regular expression is too large",
			`require ["regex", "variables"]; set "a" "` + strings.Repeat("a", 1000) +
				`"; if header :regex "subject" "${a}" {}`},
		{"steps", `require "body"; if body :raw :contains [` + repeated(9, `"key%d", `) + `"b"] { discard; }`,
			long(7 << 20),
			"s:1:20: the script takes too long", `require "body"; if body :raw :contains "b" { discard; }`},
		{"steps of expressions", `require ["body", "regex"]; if body :raw :regex "(a|aa)+b(c{90})" { discard; }`,
			long(7 << 20), "s:1:31: the script takes too long", `require "body"; if body :raw :contains "b" { discard; }`},
		{"fields that are added", "require [\"editheader\", \"variables\"];\nset \"a\" \"" + strings.Repeat("x", 2048) +
			"\";\naddheader \"x\" \"${a}\";", mail, "s:3:1: the field is longer than 2048 octets",
			`require "editheader"; addheader "x" "` + strings.Repeat("x", 2047) + `";`},
		{"parts", `require "body"; if not body :contains "none" { discard; }`, multipart(500),
			"s:1:24: the message cannot be looked at: the message has more than 500 parts", ""},
		{"depth of parts", `require "body"; if not body :contains "none" { discard; }`, deep(21),
			"s:1:24: the message cannot be looked at: the message has more than 500 parts, or parts more than 20 deep", ""},
		{"texts", `require "body"; if not body :text :contains "none" { discard; }`, long(message.MaxText),
			"s:1:24: the message cannot be looked at: a text of the message is larger than 8 MiB",
			`require "body"; if body :text :contains "aaaa" { discard; }`},
		{"raw bodies", `require "body"; if not body :raw :is "none" { discard; }`, long(message.MaxText),
			"s:1:24: the message cannot be looked at: a text of the message is larger than 8 MiB",
			`require "body"; if not body :raw :contains "none" { discard; }`},
		{"enclosures", "require \"enclose\";\n" + repeated(11, "enclose \"%d\";\n"), mail,
			"s:12:1: the message is enclosed more than 10 times", `require "enclose";` + repeated(10, `enclose "%d";`)},
		{"loops", "require \"foreverypart\";" + strings.Repeat("foreverypart {", 5) + strings.Repeat("}", 5), mail,
			"s:1:80: loops are nested deeper than 4 levels",
			`require "foreverypart";` + strings.Repeat("foreverypart {", 4) + strings.Repeat("}", 4)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := endOf(t, tt.script, tt.mail); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%.200s; want %s", got, tt.want)
			}
			if got := endOf(t, tt.within, tt.mail); got != "" {
				t.Errorf("within the limit: %.200s", got)
			}
		})
	}
}

// endOf compiles and runs a script, and returns the first error, after which the message has to be kept.
func endOf(t *testing.T, script, mail string) string {
	t.Helper()
	o := all
	o.Included = func(_, name string) (*syntax.Source, error) {
		var n int
		if _, err := fmt.Sscanf(name, "deep%d", &n); err == nil && n > 1 {
			return &syntax.Source{Name: name, Text: fmt.Sprintf(`require "include"; include "deep%d";`, n-1)}, nil
		}
		return &syntax.Source{Name: name, Text: `require "include"; keep;`}, nil
	}
	p, problems := Compile(&syntax.Source{Name: "s", Text: script}, o)
	if p == nil {
		return problems[0].String()
	}
	r := p.Run(t.Context(), input(t, mail))
	if r.Err == nil {
		return ""
	}
	if got := outcome(Result{Actions: r.Actions}); got != "implicit keep" {
		t.Errorf("after an error: %s", got)
	}
	return r.Err.Error()
}

// TestUnreadable: a message whose header is beyond the limits is kept, with an error at the first command.
func TestUnreadable(t *testing.T) {
	text := strings.Repeat("X: y\r\n", message.MaxFields+1) + "\r\n"
	_, err := message.Read(strings.NewReader(text), int64(len(text)))
	if !errors.Is(err, message.ErrHeader) {
		t.Fatal(err)
	}
	r := compile(t, "require \"copy\";\n\n discard;", all).Unreadable(&Input{}, err)
	want := "implicit keep; s:3:2: the message cannot be looked at: the header of the message is too large: more than " +
		"256 KiB, 1000 fields, or 64 KiB in one"
	if got := outcome(r); got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// TestLimitsOfRuns: a run can have limits of its own, and what the scripts for a recipient compare is one sum.
func TestLimitsOfRuns(t *testing.T) {
	p := compile(t, `redirect "a@b.example"; redirect "c@d.example"; if header :contains "subject" "none" {}`, all)
	in := input(t, mail)
	in.Limits = &Limits{Redirects: 1}
	got := outcome(p.Run(t.Context(), in))
	if !strings.HasPrefix(got, "implicit keep; s:1:25: number of redirect actions") {
		t.Error(got)
	}
	in.Limits = &Limits{Redirects: -1}
	got = outcome(p.Run(t.Context(), in))
	if !strings.HasSuffix(got, "s:1:1: local policy prohibits the use of a redirect action") {
		t.Error(got)
	}
	o := all
	o.Limits.Redirects = -1
	if _, problems := Compile(&syntax.Source{Text: `redirect "a@b.example";`}, o); len(problems) != 1 {
		t.Error(problems)
	}
	in.Limits = nil
	first := p.Run(t.Context(), in)
	in.Prior, in.Limits = &first, &Limits{Steps: first.Steps + 1}
	if got := outcome(p.Run(t.Context(), in)); !strings.Contains(got, "takes too long") {
		t.Error(got)
	}
}

// TestChoose: lists of extensions, as configurations have them.
func TestChoose(t *testing.T) {
	for _, tt := range []struct{ list, on, off, err string }{
		{"", "fileinto copy", "editheader", ""},
		{"+editheader -fileinto", "editheader copy", "fileinto spamtest", ""},
		{"fileinto editheader", "fileinto editheader comparator-i;octet", "copy comparator-i;ascii-numeric", ""},
		{"+fileino", "", "", `unknown extension "fileino": did you mean fileinto?`},
		{"+snooze", "", "", `the extension "snooze" is not supported: a Maildir cannot snooze`},
		{"+", "", "", `unknown extension ""`},
		{"+copy fileinto", "", "", "some extensions begin with + or -"},
	} {
		allowed, err := Choose(strings.Fields(tt.list))
		if err != nil || tt.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %s", tt.list, err, tt.err)
			}
			continue
		}
		l := newLanguage(Extensions(), allowed)
		for _, name := range strings.Fields(tt.on) {
			if !l.has(name) {
				t.Errorf("%s: %s is off", tt.list, name)
			}
		}
		for _, name := range strings.Fields(tt.off) {
			if l.has(name) {
				t.Errorf("%s: %s is on", tt.list, name)
			}
		}
		if !l.has("") {
			t.Errorf("%s: there is no language", tt.list)
		}
	}
}

// TestNewVerdict: settings that are wrong say what is.
func TestNewVerdict(t *testing.T) {
	for want, o := range map[string]VerdictOptions{
		"":                                   {StatusHeader: "X-Spam", MaxValue: 5},
		"status_header: \"a b\" is no name":  {StatusHeader: "a b", MaxValue: 5},
		"status_header: error parsing":       {StatusHeader: "X: (", MaxValue: 5},
		"status_header: \"x\" has no group":  {StatusHeader: "X: x", MaxValue: 5},
		"max_header: \"y\" has no group":     {StatusHeader: "X", MaxHeader: "Y: y"},
		"neither max_value nor max_header":   {StatusHeader: "X"},
		"unknown status_type \"tint\"":       {StatusHeader: "X", StatusType: "tint"},
		"text_value: there is no 11: values": {StatusHeader: "X", StatusType: "text", TextValues: map[int]string{11: "x"}},
	} {
		v, err := NewVerdict(o, 10)
		if err == nil && (want != "" || v == nil) || err != nil && (want == "" || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
	if v, err := NewVerdict(VerdictOptions{}, 10); v != nil || err != nil {
		t.Error(v, err)
	}
}

// broken is a list that cannot be asked.
type broken struct{}

func (broken) HasList(string) bool { return true }

func (broken) InList(context.Context, string, string) (bool, error) {
	return false, errors.New("no route")
}

// TestListFails: a list that cannot be asked keeps the message.
func TestListFails(t *testing.T) {
	in := input(t, mail)
	in.Lists = broken{}
	p := compile(t, `require "extlists"; if not address :list "from" ":addrbook:x" { discard; }`, all)
	want := "implicit keep; s:1:28: the list ':addrbook:x' cannot be asked: no route"
	if got := outcome(p.Run(t.Context(), in)); got != want {
		t.Errorf("%s; want %s", got, want)
	}
}

// TestSyntaxAndMeaning: errors of the grammar hide no others, and what follows from them is none.
func TestSyntaxAndMeaning(t *testing.T) {
	for script, want := range map[string]string{
		"keep\nif true { stop; }\nelsif true { kepp; }\nelse { stop; }":                          "1 3",
		"require [\"fileinto\";\nfileinto \"A\";\nkepp;\nif header :count \"eq\" \"a\" \"1\" {}": "1 3",
		"if header \"a\" \"b\" {\n\tkeep\n}\nkepp;":                                              "3 4",
		"require \"foreverypart\";\nforeverypart :name 1 x( {\n\tbreak;\n}":                      "2",
		"require \"foreverypart\";\nforeverypart (x {\n\tbreak;\n}\ndiscard 1;":                  "2 5",
		"require \"variables\";\nset \"a\" [;\nredirect \"nowhere\";":                            "2 3",
	} {
		_, problems := Compile(&syntax.Source{Name: "s", Text: script}, all)
		var lines []string
		for _, p := range problems {
			lines = append(lines, fmt.Sprint(p.Line))
		}
		if got := strings.Join(lines, " "); got != want {
			t.Errorf("%s\nproblems in lines %s, want %s: %v", script, got, want, problems)
		}
	}
}

// TestIhaveIsTrue: what ihave says of an extension is what require says, allowed or not, there or refused.
func TestIhaveIsTrue(t *testing.T) {
	names := []string{"none", ""}
	for _, e := range Extensions() {
		names = append(names, e.Name)
	}
	for name := range refused {
		names = append(names, name)
	}
	for _, o := range []Options{{}, all, {Allowed: func(e *Extension) bool { return e.Name == "" || e.Name == "ihave" }}} {
		for _, name := range names {
			alone := `require "` + name + `";`
			if e := newLanguage(Extensions(), all.Allowed).find(name); e != nil && len(e.Wants) > 0 {
				alone = `require ["` + name + `", "` + strings.Join(e.Wants, `", "`) + `"];`
			}
			p, _ := Compile(&syntax.Source{Text: alone + "keep;"}, o)
			asked := compile(t, `require "ihave"; if ihave "`+name+`" { discard; }`, o).Run(t.Context(), input(t, mail))
			if changesStrings[name] {
				continue // which cannot begin in the middle of a script
			}
			if got, want := asked.Discarded, p != nil && name != ""; got != want {
				t.Errorf("%q: ihave says %v, require %v", name, got, want)
			}
		}
	}
}
