package sieve

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// TestHostileScripts: scripts and messages that are made to hurt end within the budget. The message is kept, or what
// the script says is done; it is never discarded by mistake.
func TestHostileScripts(t *testing.T) {
	field := "X: " + strings.Repeat("a", message.MaxField-10) + "\r\n"
	header := strings.Repeat(field, 3)
	var keys []string
	for i := range 1200 {
		keys = append(keys, fmt.Sprintf("%q", fmt.Sprint("key", i)))
	}
	many := "[" + strings.Join(keys, ",") + "]"
	nested := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 400)
	double := `require "variables"; set "a" "xxxxxxxxxx";` + strings.Repeat("set \"a\" \"${a}${a}\";\n", 60)
	for _, tt := range []struct{ name, script, message, want string }{
		{"stars", `if header :matches "x" "` + strings.Repeat("*a", 40) + `*b" { discard; }`, header, "implicit keep"},
		{"question marks", `if header :matches "x" "*` + strings.Repeat("a?", 2000) + `b*" { discard; }`,
			header, "implicit keep; s:1:4: the script takes too long"},
		{"1200 keys", strings.Repeat(`if header :contains "x" `+many+` { discard; }`+"\n", 20), header,
			"implicit keep; s:1:4: the script takes too long"},
		{"regex", `require "regex"; if header :regex "x" "(a|aa)+$b" { discard; }`, header, "implicit keep"},
		{"doubling", double + `if string :contains "${a}" "y" { discard; }`, mail, "implicit keep"},
		{"many folders", `require ["fileinto"];` + fileintos(1600), mail,
			"implicit keep; s:33:1: total number of actions exceeds policy limit: more than 32"},
		{"many redirects", redirects(1000), mail,
			"implicit keep; s:5:1: number of redirect actions exceeds policy limit: more than 4"},
		{"many replacements", `require ["replace", "foreverypart", "mime"];
foreverypart { if not exists :mime "content-type" { replace "` + strings.Repeat("x", 900_000) + `"; } }`,
			"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + strings.Repeat("--a\r\n\r\n", 400),
			"implicit keep; s:2:53: the script takes too long"},
		{"replacements in replacements", `require ["replace", "foreverypart", "mime"];
foreverypart { if not exists :mime "content-type" { replace :mime "` + nested + `"; foreverypart {
replace :mime "` + strings.NewReplacer("=b", "=c", "--b", "--c").Replace(nested) +
			`"; foreverypart { replace "x"; } } } }`,
			"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + strings.Repeat("--a\r\n\r\n", 400), "implicit keep; s:"},
		{"a name that is no name", "require [\"fileinto\", \"variables\"];\nset \"a\" \"b\nc\"; fileinto \"${a}\";", mail,
			"implicit keep; s:3:5: invalid folder name 'b\r\nc'"},
		{"an address by variables", `require "variables"; set "a" "x y"; redirect "${a}@b.example";`, mail,
			"implicit keep; s:1:37: the address 'x y@b.example' is invalid: it has to be local@domain"},
		{"a field by variables", `require ["editheader", "variables"]; set "a" "A: b"; addheader "${a}" "c";`, mail,
			"implicit keep; s:1:54: the field name 'A: b' is invalid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := input(t, tt.message)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			got := outcome(compile(t, tt.script, all).Run(t.Context(), in))
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("%.200s; want %s", got, tt.want)
			}
			if took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
				t.Errorf("it allocated %d octets", n)
			}
			t.Logf("%v, %d octets", took, after.TotalAlloc-before.TotalAlloc)
		})
	}
}

func fileintos(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "fileinto \"f%d\";\n", i)
	}
	return b.String()
}

func redirects(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "redirect \"a%d@b.example\";\n", i)
	}
	return b.String()
}

// FuzzRun: whatever a script and a message are, the run ends within its budget, and the message is kept, discarded,
// refused or sent on because the script says so.
func FuzzRun(f *testing.F) {
	const every = `require ["fileinto", "envelope", "variables", "relational", "imap4flags", "subaddress", "date", "index",
"mailbox", "body", "mime", "foreverypart", "extracttext", "replace", "enclose", "regex", "editheader", "reject", "environment", "copy", "encoded-character", "ihave"];
`
	for _, seed := range []string{
		`if anyof (header :matches "subject" "*a?b*", address :detail :count "ge" "to" "1") { fileinto :copy "${1}"; }`,
		`set :length "a" "${0}"; if body :content "text" :regex "(.)+" { addflag "${1}"; keep; }`,
		`if date :index 2 :last "received" "julian" "1" { reject "no"; } elsif envelope :user "to" "x" { redirect "a@b.c"; }`,
		`addheader :last "X" "${hex:41}"; deleteheader :index 1 :matches "x" ["*", "?"]; if size :over 1 { discard; }`,
		`foreverypart :name "a" { extracttext :first 3 "b"; if header :mime :anychild :type "content-type" "x" { break; } }`,
		`foreverypart { if header :mime :contains "x" "y" { replace "${1}"; } } enclose :headers ["to"] "x"; keep;`,
		`foreverypart { replace :mime "X: y

--a"; foreverypart { replace "b"; } } replace :subject "c" "d";`,
		`if hasflag ["a b"] { stop; } if ihave "none" { bad; } else { setflag "a" "b"; }`,
	} {
		f.Add(every+seed, mail)
	}
	o := all
	o.Limits.Steps = 200_000
	f.Fuzz(func(t *testing.T, script, text string) {
		p, problems := Compile(&syntax.Source{Name: "s", Text: script}, o)
		if p == nil {
			if len(problems) == 0 {
				t.Fatal("no program, and no problem")
			}
			return
		}
		m, err := message.Read(strings.NewReader(text), int64(len(text)))
		if err != nil {
			return
		}
		in := input(t, mail)
		in.Message = m
		r := p.Run(t.Context(), in)
		if r.Steps > 2*o.Limits.Steps+int64(8*message.MaxText) {
			t.Fatalf("%d steps", r.Steps)
		}
		if r.Err != nil && outcome(Result{Actions: r.Actions}) != "implicit keep" {
			t.Fatalf("an error that does not keep the message: %+v", r)
		}
		lower := message.Lower(script)
		if r.Discarded && !strings.Contains(lower, "discard") {
			t.Fatal("discarded")
		}
		for _, a := range r.Actions {
			if !strings.Contains(lower, map[string]string{"store": "fileinto", "keep": "", "redirect": "redirect",
				"reject": "reject"}[a.Verb()]) {
				t.Fatalf("%s, which the script does not say", a.Verb())
			}
		}
		if again := p.Run(t.Context(), in); outcome(again) != outcome(r) {
			t.Fatalf("%s; the second time %s", outcome(r), outcome(again))
		}
	})
}
