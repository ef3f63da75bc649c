package sieve

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// TestSequences: scripts of one account that follow one another; the next one runs only while the message is kept.
func TestSequences(t *testing.T) {
	const require = `require ["fileinto", "copy", "editheader", "duplicate", "ihave", "vnd.dovecot.pipe", ` +
		"\"vnd.dovecot.filter\", \"vnd.dovecot.execute\"];\n"
	long := strings.Repeat("if true { }\n", 300)
	for _, tt := range []struct {
		name    string
		scripts []string
		want    string
	}{
		{"all run", []string{`fileinto :copy "A";`, `redirect :copy "a@b.example";`, ``},
			"store A; redirect a@b.example; implicit keep"},
		{"one that files", []string{`fileinto "A";`, `fileinto "B";`}, "store A"},
		{"one that keeps", []string{`keep;`, `fileinto "B";`}, "store B"},
		{"a copy in the inbox", []string{`fileinto :copy "INBOX";`, `discard;`}, "store INBOX"},
		{"perhaps a program", []string{`pipe :try "a";`, `discard;`}, "pipe; otherwise"},
		{"a copy to a program", []string{`pipe :copy "a";`, `discard;`}, "pipe"},
		{"an error", []string{`fileinto :copy "A"; if duplicate :uniqueid "x" { }`, `addheader "X-Added" "1"; error "e";`, `discard;`},
			"store A; implicit keep; 1:2:26: e; 1 mark"},
		{"an error after a copy in the inbox", []string{`fileinto :copy "INBOX";`, `error "e";`}, "store INBOX; 1:2:1: e"},
		{"what takes long together", []string{long, long},
			"implicit keep; 1:201:1: the script takes too long: it compared more than 1000 octets"},
		{"too many programs together", []string{`execute "echo"; execute "echo";`, `execute "echo"; execute "echo";`},
			"implicit keep; 1:2:17: number of programs exceeds policy limit: more than 3"},
		{"a message that a program made",
			[]string{`filter "add" "X-Added: 1";`, `addheader "X-Added" "2"; addheader "X-Added" "3";`, `fileinto "A";`},
			"store A +3 +2 +1"},
	} {
		var result Result
		in := input(t, mail)
		in.Programs = &shelf{}
		o := all
		o.Limits = Limits{Steps: 1000, Programs: 3}
		for i, script := range tt.scripts {
			p, problems := Compile(&syntax.Source{Name: fmt.Sprint(i), Text: require + script}, o)
			if p == nil {
				t.Fatal(problems)
			}
			if i > 0 {
				prior := result
				in.Prior = &prior
			}
			if result = p.Run(t.Context(), in); !result.Kept() {
				break
			}
		}
		got := outcome(result)
		for _, a := range result.Actions {
			if _, ok := a.(*Pipe); ok {
				got = "pipe"
			}
		}
		if result.Otherwise != nil {
			got += "; otherwise"
		}
		if len(result.Marks) > 0 {
			got += fmt.Sprintf("; %d mark", len(result.Marks))
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestPriorStays: a script that adds to what one before it decided does not change the result of that one.
func TestPriorStays(t *testing.T) {
	in := input(t, mail)
	first := compile(t, `require ["fileinto", "copy", "imap4flags"]; fileinto :copy :flags "a" "A";`, all).Run(t.Context(), in)
	in.Prior = &first
	before := outcome(first)
	compile(t, `require ["fileinto", "imap4flags"]; fileinto :flags "b" "A";`, all).Run(t.Context(), in)
	if after := outcome(first); after != before {
		t.Errorf("%s, before %s", after, before)
	}
}

// TestPositions: an action knows where it was asked for, in which script.
func TestPositions(t *testing.T) {
	o := all
	script := "require [\"include\", \"fileinto\", \"copy\", \"vacation\", \"enotify\"];\n" +
		"if exists \"subject\" {\n\tfileinto :copy \"A\"; include \"x\";\n  vacation \"b\"; notify \"mailto:a@b.example\"; }"
	o.Included = func(string, string) (*syntax.Source, error) {
		return &syntax.Source{Name: "included", Text: "require \"copy\";\n  redirect :copy \"a@b.example\";"}, nil
	}
	var got []string
	for _, a := range compile(t, script, o).Run(t.Context(), input(t, mail)).Actions {
		name, line, column := a.Position()
		got = append(got, fmt.Sprintf("%s %s:%d:%d", a.Verb(), name, line, column))
	}
	want := []string{"store s:3:2", "redirect included:2:3", "vacation s:4:3", "notify s:4:17", "keep :0:0"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
