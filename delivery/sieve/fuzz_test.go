package sieve

import (
	"io"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/sieve/dialect"
	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// seeds are scripts with a message each: what people's programs write, and rules that no program writes.
func seeds(f *testing.F) {
	const every = `require ["fileinto", "envelope", "variables", "relational", "imap4flags", "subaddress", "date", "index",
"mailbox", "body", "mime", "foreverypart", "extracttext", "replace", "enclose", "regex", "editheader", "reject", "environment", "copy",
"encoded-character", "ihave", "vacation", "enotify", "duplicate", "special-use", "spamtestplus", "virustest",
"comparator-i;ascii-numeric", "comparator-i;unicode-casemap"];
`
	for _, seed := range []string{
		`if anyof (header :matches "subject" "*a?b*", address :detail :count "ge" "to" "1") { fileinto :copy "${1}"; }`,
		`set :length "a" "${0}"; if body :content "text" :regex "(.)+" { addflag "${1}"; keep; }`,
		`if date :index 2 :last "received" "julian" "1" { reject "no"; } elsif envelope :user "to" "x" { redirect "a@b.c"; }`,
		`addheader :last "X" "${hex:41}"; deleteheader :index 1 :matches "x" ["*", "?"]; if size :over 1 { discard; }`,
		`foreverypart :name "a" { extracttext :first 3 "b"; if header :mime :anychild :type "content-type" "x" { break; } }`,
		`foreverypart { if header :mime :contains "x" "y" { replace "${1}"; } } enclose :headers ["to"] "x"; keep;`,
		"foreverypart { replace :mime \"X: y\n\n--a\"; foreverypart { replace \"b\"; } } replace :subject \"c\" \"d\";",
		`if hasflag ["a b"] { stop; } if ihave "none" { bad; } else { setflag "a" "b"; }`,
		`if duplicate :header "message-id" :seconds 9 { discard; } notify :message "${1}" "mailto:a@b.example?body=c";`,
		`if spamtest :percent :value "ge" :comparator "i;ascii-numeric" "1" { fileinto :specialuse "\\Junk" "J"; }`,
		`set :quotewildcard :lower "a" "*?\\"; if string :matches :comparator "i;unicode-casemap" "Ü" "${a}*" { stop; }`,
		"vacation :mime :handle \"h\" text:\nContent-Type: text/plain\n\n..\n.\n;",
	} {
		f.Add(every+seed, mail)
	}
	for i := range uint64(80) {
		c := dialect.New(i)
		f.Add(c.Script, c.Message)
		f.Add(dialect.Mutate(i), c.Message)
	}
}

// FuzzRun: whatever a script and a message are, the run ends within its budget, and the message is kept, discarded,
// refused or sent on because the script says so. What is printed of the script does the same. It is of no account
// where in memory the parts of the message lie, how its lines end, and how many fields come before those that count.
func FuzzRun(f *testing.F) {
	seeds(f)
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
		r, ok := runOn(t, p, text)
		if !ok {
			return
		}
		if r.Steps > o.Limits.Steps+1 {
			t.Fatalf("%d steps", r.Steps)
		}
		checkActions(t, script, r)
		for _, tt := range []struct {
			what    string
			program *Program
			text    string
			same    bool // the steps are the same
		}{
			{"a second time", p, text, true},
			{"as it is printed", printed(t, script, o), text, true},
			{"with other line ends", p, strings.ReplaceAll(text, "\n", "\r\n"), false},
			{"after other fields", p, strings.Repeat("X-Fuzz-Padding: a\n", 230) + text, false},
		} {
			if !tt.same && !isPlain(p, script, text) {
				continue
			}
			again, ok := runOn(t, tt.program, tt.text)
			if ok && (withoutPlace(again) != withoutPlace(r) || tt.same && again.Steps != r.Steps) {
				t.Fatalf("%s with %d steps; %s %s with %d steps", outcome(r), r.Steps, tt.what, outcome(again), again.Steps)
			}
		}
	})
}

// isPlain reports whether a run looks at nothing that depends on how lines end, or on which other fields there are. A
// budget that is exceeded does.
func isPlain(p *Program, script, text string) bool {
	return p.Needs()&(NeedsBody|NeedsSize) == 0 && !strings.Contains(text, "\r") &&
		!strings.Contains(message.Lower(script), "x-fuzz-padding") && !strings.HasPrefix(text, " ") &&
		!strings.HasPrefix(text, "\t") && len(text)+len(script) < 20_000
}

// printed compiles what is printed of a script.
func printed(t *testing.T, script string, o Options) *Program {
	var problems syntax.Problems
	tree := syntax.Parse(&syntax.Source{Text: script}, &problems)
	p, left := Compile(&syntax.Source{Name: "s", Text: tree.String()}, o)
	if p == nil {
		t.Fatalf("%q is printed as %q, which has problems: %v", script, tree.String(), left)
	}
	return p
}

// withoutPlace is an outcome without the place of its error.
func withoutPlace(r Result) string {
	if r.Err != nil {
		return "error: " + r.Err.Text
	}
	return outcome(r)
}

// runOn runs a program on a message that is read in two ways. It returns false for one that cannot be read.
func runOn(t *testing.T, p *Program, text string) (Result, bool) {
	var results [2]Result
	for i, content := range []io.ReaderAt{strings.NewReader(text), endReader(text)} {
		m, err := message.Read(content, int64(len(text)))
		if err != nil {
			return Result{}, false
		}
		in := input(t, mail)
		in.Message = m
		results[i] = p.Run(t.Context(), in)
	}
	if a, b := outcome(results[0]), outcome(results[1]); a != b {
		t.Fatalf("%s; from another reader %s", a, b)
	}
	return results[0], true
}

// An endReader says that a text ends together with its last octets, not after them, as io.ReaderAt may.
type endReader string

func (r endReader) ReadAt(b []byte, at int64) (int, error) {
	n := copy(b, r[min(at, int64(len(r))):])
	if at+int64(n) == int64(len(r)) {
		return n, io.EOF
	}
	return n, nil
}

// checkActions compares what is to be done with the words of the script.
func checkActions(t *testing.T, script string, r Result) {
	t.Helper()
	if r.Err != nil && outcome(Result{Actions: r.Actions}) != "implicit keep" {
		t.Fatalf("an error that does not keep the message: %+v", r)
	}
	lower := message.Lower(script)
	if r.Discarded && !strings.Contains(lower, "discard") {
		t.Fatal("discarded")
	}
	for _, a := range r.Actions {
		word, known := map[string]string{"store": "fileinto", "keep": "", "redirect": "redirect", "reject": "reject",
			"vacation": "vacation", "notify": "notify"}[a.Verb()]
		if !known || !strings.Contains(lower, word) {
			t.Fatalf("%s, which the script does not say", a.Verb())
		}
	}
}
