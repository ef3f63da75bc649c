package sieve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A shelf has programs of the test. It notes what ran.
type shelf struct{ ran []string }

func (s *shelf) Run(_ context.Context, j Job) (Answer, error) {
	var in []byte
	if j.Input != nil {
		var err error
		if in, err = io.ReadAll(j.Input); err != nil {
			return Answer{}, err
		}
	}
	s.ran = append(s.ran, fmt.Sprintf("%s %s %q", j.Command, j.Program, j.Args))
	out, code := "", 0
	switch j.Program {
	case "cat":
		out = string(in)
	case "echo":
		out = strings.Join(j.Args, " ")
	case "add":
		out = j.Args[0] + "\r\n" + string(in)
	case "no":
		out, code = "no", 1
	case "huge header":
		out = strings.Repeat("X: y\r\n", 2000)
	case "silent":
	case "broken":
		return Answer{}, &Hinted{errors.New("it is broken"), "mend it"}
	default:
		return Answer{}, ErrNoProgram
	}
	if j.MaxOutput > 0 && int64(len(out)) > j.MaxOutput {
		return Answer{}, errors.New("it writes too much")
	}
	return Answer{Code: code, Output: strings.NewReader(out), Size: int64(len(out)), Said: "hm"}, nil
}

// added is the X-Added fields of a message with another header and body.
func added(t *testing.T, in *Input, header []*message.Field, body *io.SectionReader) string {
	t.Helper()
	text, err := in.Message.Content(header, body)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "X-Added: "); ok {
			list = append(list, strings.TrimSpace(value))
		}
	}
	if !strings.Contains(string(text), "It is in caf") || !strings.Contains(string(text), "Subject:") {
		t.Errorf("%q", text)
	}
	return strings.Join(list, " ")
}

// TestPrograms: what pipe, filter and execute make of the message, of variables and of the rest of the script.
func TestPrograms(t *testing.T) {
	const all3 = "vnd.dovecot.pipe vnd.dovecot.filter vnd.dovecot.execute variables fileinto copy editheader"
	for _, tt := range []struct{ script, want string }{
		{`pipe "a" ["b", "c"];`, `pipe a ["b" "c"] <>`},
		{`pipe :copy "a" "b";`, `pipe a ["b"] <>; implicit keep <>`},
		{`pipe :try "a";`, `pipe a [] try <>; otherwise implicit keep <>`},
		{`pipe :try :copy "a";`, `pipe a [] try copy <>; implicit keep <>`},
		{`pipe :try "a"; keep;`, `pipe a [] try <>; keep <>`},
		{`pipe :try "a"; discard;`, `pipe a [] try <>`},
		{`pipe :try "a"; pipe "b";`, `pipe a [] try <>; pipe b [] <>`},
		{`pipe "a"; pipe "b"; pipe "a";`, "implicit keep <>; s:2:21: the script pipes to the program 'a' twice"},
		{`addheader "X-Added" "1"; pipe :copy "a"; addheader "X-Added" "2";`, "pipe a [] <1>; implicit keep <2 1>"},
		{`filter "add" "X-Added: 1"; fileinto "A"; addheader "X-Added" "2"; fileinto "B"; filter "add" "X-Added: 3";
redirect :copy "a@b.example"; keep;`, "store A <1>; store B <2 1>; redirect a@b.example <3 2 1>; keep <3 2 1>"},
		{`if filter "add" "X-Added: 1" { if header "x-added" "1" { fileinto "A"; } }`, "store A <1>"},
		{`if not filter "no" { if not filter "none" { fileinto "A"; } }`, "store A <>; s:2:29: the program 'none' cannot " +
			"be run: there is no such program"},
		{`filter "no"; fileinto "A";`, "store A <>"},
		{`addheader "X-Added" "1"; filter "none"; discard;`,
			"implicit keep <>; s:2:26: the program 'none' cannot be run: there is no such program"},
		{`filter "silent"; if not filter "silent" { fileinto "A"; }`,
			"store A <>; s:2:1: the program 'silent' wrote no message; s:2:25: the program 'silent' wrote no message"},
		{`if not filter "huge header" { fileinto "A"; }`, "store A <>; s:2:8: the program 'huge header' cannot be run: " +
			"the header of the message is too large: more than 256 KiB, 1000 fields, or 64 KiB in one"},
		{`execute :output "x" "echo" ["a", "b"]; fileinto "${x}";`, "store a b <>"},
		{`execute :input "in" :output "x" "cat"; fileinto "${x}";`, "store in <>"},
		{`addheader "X-Added" "1"; execute :pipe :output "x" "cat"; if string :contains "${x}" "X-Added: 1" { discard; }`,
			"discard"},
		{`set "x" "old"; if not execute :output "x" "no" { fileinto "${x}"; }`, "store old <>"},
		{`execute "no"; execute "echo"; if execute "echo" { discard; }`, "discard"},
		{`execute "broken"; discard;`, "implicit keep <>; s:2:1: the program 'broken' cannot be run: it is broken (mend it)"},
		{`set "x" "a
b"; execute "echo" "${x}"; discard;`,
			"implicit keep <>; s:3:5: argument 1 of a program has controls, such as line ends"},
		{`if execute "echo" "${0}${unknown}" { discard; }`, "discard"},
		{strings.Repeat(`execute "echo";`, 11), "implicit keep <>; s:2:151: number of programs exceeds policy limit: more than 10"},
		{`execute :output "x" "echo" "` + strings.Repeat("é", 500) + `"; execute :output "y" "echo" ["${x}", "${x}", "${x}", ` +
			`"${x}", "${x}"]; if string :matches "${y}" "*é" { discard; }`, "discard"},
	} {
		script := "require [\"" + strings.ReplaceAll(all3, " ", `", "`) + "\"];\n" + tt.script
		in := input(t, mail)
		in.Programs = &shelf{}
		r := compile(t, script, all).Run(t.Context(), in)
		if got := decided(t, r, in); got != tt.want {
			t.Errorf("%.200s\n%s, want\n%s", tt.script, got, tt.want)
		}
	}
}

// decided is outcome, with what the script added to the message.
func decided(t *testing.T, r Result, in *Input) string {
	t.Helper()
	var list []string
	for _, action := range r.Actions {
		one, _, _ := strings.Cut(outcome(Result{Actions: []Action{action}}), " +")
		switch a := action.(type) {
		case *Store:
			one += " <" + added(t, in, a.Header, a.Body) + ">"
		case *Redirect:
			one += " <" + added(t, in, a.Header, a.Body) + ">"
		case *Pipe:
			one = fmt.Sprintf("pipe %s %q", a.Program, a.Args)
			if a.Try {
				one += " try"
			}
			if a.Copy && a.Try {
				one += " copy"
			}
			one += " <" + added(t, in, a.Header, a.Body) + ">"
		}
		list = append(list, one)
	}
	if r.Otherwise != nil {
		list = append(list, "otherwise "+decided(t, Result{Actions: []Action{r.Otherwise}}, in))
	}
	if r.Discarded {
		list = append(list, "discard")
	}
	for _, w := range append(r.Warnings, r.Err) {
		if w != nil {
			list = append(list, w.Error())
		}
	}
	return strings.Join(list, "; ")
}

// TestProgramProblems: what the checker says of programs.
func TestProgramProblems(t *testing.T) {
	long := strings.Repeat("x", 1025)
	for script, want := range map[string]string{
		`pipe "a/b";`: "s:2:6: 'a/b' is no name of a program (it has no slash, no controls, and 128 characters at most)",
		`pipe "..";`:  "'..' is no name of a program", `pipe ".";`: "'.' is no name of a program",
		`pipe "";`:       "'' is no name of a program",
		`pipe "${x}";`:   "s:2:6: the pipe command takes no variables in the name of its program",
		"pipe \"a\nb\";": "is no name of a program",
		`pipe "` + strings.Repeat("ü", 129) + `";`:              "is no name of a program",
		`filter "a" "` + long + `";`:                            "s:2:12: argument 1 of a program is longer than 1024 octets",
		`filter "a" [` + strings.Repeat(`"x",`, 32) + `"x"];`:   "a program has more than 32 arguments",
		"execute \"a\" [\"x\", \"\x01\"];":                      "argument 2 of a program has controls, such as line ends",
		`execute :input "x" :pipe "a";`:                         "duplicate input for the execute command: :pipe besides :input",
		`execute :output "1" "a";`:                              "match values such as ${1} cannot be set",
		`if pipe "a" { }`:                                       "attempted to use command 'pipe' as a test",
		`pipe :try :try "a";`:                                   "duplicate :try tag",
		`filter :copy "a";`:                                     "unknown tagged argument ':copy' for the filter command",
		`execute;`:                                              "s:2:1: the execute command requires 2 positional arguments",
		`report "a b" "c" "d@e.example";`:                       "s:2:8: 'a b' is no type of a report",
		`report "abuse" "c" "none";`:                            "s:2:20: the address 'none' is invalid",
		`report :headers_only "abuse" "c" "d@e.example" "f";`:   "requires 3 positional arguments",
		`report "` + strings.Repeat("x", 65) + `" "c" "d@e.f";`: "is no type of a report",
	} {
		const require = `require ["vnd.dovecot.pipe", "vnd.dovecot.filter", "vnd.dovecot.execute", "vnd.dovecot.report", ` +
			"\"variables\", \"copy\"];\n"
		_, problems := Compile(&syntax.Source{Name: "s", Text: require + script}, all)
		if len(problems) == 0 || !strings.Contains(problems[0].String(), want) {
			t.Errorf("%.100s: %v, want %s", script, problems, want)
		}
	}
	_, problems := Compile(&syntax.Source{Name: "s", Text: `require "vnd.dovecot.execute"; execute :output "a" "b";`}, all)
	if len(problems) != 1 || !strings.HasSuffix(problems[0].String(), `(add: require "variables";)`) {
		t.Errorf("%v", problems)
	}
	for _, name := range []string{"pipe", "filter", "execute", "report"} {
		_, problems := Compile(&syntax.Source{Name: "s", Text: `require "vnd.dovecot.` + name + `";`}, Options{})
		if len(problems) != 1 || !strings.Contains(problems[0].Text, "is not allowed here") {
			t.Errorf("%s is on by default: %v", name, problems)
		}
	}
}

// TestProgramNeeds: who runs a script knows beforehand that it wants programs, and how the message goes on.
func TestProgramNeeds(t *testing.T) {
	for script, want := range map[string]Needs{
		`require "vnd.dovecot.pipe"; pipe "a";`:           NeedsBody | NeedsPrograms,
		`require "vnd.dovecot.execute"; execute "a";`:     NeedsBody | NeedsPrograms,
		`require "vnd.dovecot.filter"; if filter "a" { }`: NeedsBody | NeedsPrograms,
		`require "vnd.dovecot.filter"; if exists "a" { }`: 0,
	} {
		if got := compile(t, script, all).Needs(); got != want {
			t.Errorf("%s: %b, want %b", script, got, want)
		}
	}
}

// TestWithoutPrograms: a script that wants programs where there are none has an error.
func TestWithoutPrograms(t *testing.T) {
	p := compile(t, "require \"vnd.dovecot.execute\";\nexecute \"a\"; discard;", all)
	const want = "implicit keep; s:2:1: the program 'a' cannot be run: there are none here " +
		"(the administrator names their directory)"
	if got := outcome(p.Run(t.Context(), input(t, mail))); got != want {
		t.Error(got)
	}
}

// TestReports: reports of abuse beside all else that becomes of the message.
func TestReports(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{`report "abuse" "spam" "a@b.example"; report " ABUSE " "x" "a@B.example"; report "fraud" "x" "a@b.example";`,
			"report abuse a@b.example spam false; report fraud a@b.example x false; implicit keep"},
		{`report :headers_only "abuse" "x" "Abuse Desk <a@b.example>"; discard;`, "report abuse a@b.example x true"},
		{`set "a" "no token"; report "${a}" "x" "a@b.example"; discard;`,
			"implicit keep; s:2:21: 'no token' is no type of a report"},
		{`set "a" "b"; report "abuse" "x" "${a}"; discard;`,
			"implicit keep; s:2:14: the address 'b' is invalid: it has to be local@domain"},
		{`report "1" "" "a@b.example"; report "2" "" "a@b.example"; report "3" "" "a@b.example";
report "4" "" "a@b.example"; report "5" "" "a@b.example";`,
			"implicit keep; s:3:30: number of report actions exceeds policy limit: more than 4"},
		{`reject "no"; report "abuse" "x" "a@b.example";`, "reject no false; report abuse a@b.example x false"},
	} {
		p := compile(t, "require [\"vnd.dovecot.report\", \"variables\", \"reject\"];\n"+tt.script, all)
		if got := outcome(p.Run(t.Context(), input(t, mail))); got != tt.want {
			t.Errorf("%s\n%s, want\n%s", tt.script, got, tt.want)
		}
	}
}
