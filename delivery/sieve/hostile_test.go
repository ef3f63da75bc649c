package sieve

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve/message"
	"github.com/doorstep-mail/doorstep/delivery/sieve/syntax"
)

// A hostile case is a script, or a message, that is made to hurt.
type hostile struct {
	name, script, message string
	want                  string // how the outcome begins; empty for a script that is refused
}

// hostileCases are what attackers of other engines used, and what is slow in this one by its nature. Where the script
// would discard the message if it were believed, it is kept.
func hostileCases() []hostile {
	field := "X: " + strings.Repeat("a", message.MaxField-10) + "\r\n"
	header := strings.Repeat(field, 3)
	inner := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 400)
	const long = "the script takes too long"
	return []hostile{
		{"stars", `if header :matches "x" "` + strings.Repeat("*a", 40) + `*b" { discard; }`, header, "implicit keep"},
		{"question marks", `if header :matches "x" "*` + strings.Repeat("a?", 2000) + `b*" { discard; }`, header,
			"implicit keep; s:1:4: " + long},
		{"stars between many letters", `if header :matches "x" "*` + strings.Repeat("a", 4000) + `b*" { discard; }`, header,
			"implicit keep"},
		{"1200 keys", strings.Repeat(`if header :contains "x" `+listOf(1200, "key%d")+" { discard; }\n", 20), header,
			"implicit keep; s:1:4: " + long},
		{"20,000 names", `if header :contains ` + listOf(20_000, "x%d") + ` "y" { discard; }`, strings.Repeat("A: b\r\n", 999),
			"implicit keep"},
		{"a regex that goes back in others", `require "regex"; if header :regex "x" "(a|aa)+$b" { discard; }`, header,
			"implicit keep"},
		{"regexes", `require "regex";` + strings.Repeat(`if header :regex "x" "(a?){100}(b|c)*d" { discard; }`+"\n", 500), header,
			"implicit keep; s:"},
		{"a regex of a megabyte", `require "regex"; if header :regex "x" "` + strings.Repeat("(a|b)*", 150_000) + `" { stop; }`,
			header, ""},
		{"a regex that grows", `require "regex"; if header :regex "x" "((a{1,100}){1,100}){1,100}" { stop; }`, header, ""},
		{"doubling", `require "variables"; set "a" "xxxxxxxxxx";` + strings.Repeat("set \"a\" \"${a}${a}\";\n", 60) +
			`if string :contains "${a}" "y" { discard; }`, mail, "implicit keep"},
		{"a variable many times", `require "variables"; set "a" "` + strings.Repeat("x", 4000) + `";` +
			strings.Repeat(`set "b" "`+strings.Repeat("${a}", 1000)+`";`, 200), mail, "implicit keep"},
		{"letters of Unicode", `require "comparator-i;unicode-casemap";` + strings.Repeat(
			`if header :contains :comparator "i;unicode-casemap" "x" "b" { discard; }`+"\n", 700),
			strings.Repeat("X: "+strings.Repeat("\u01c6\ufb03", 10_000)+"\r\n", 3), "implicit keep; s:"},
		{"internationalized domains", strings.Repeat(`if address :domain "to" "b" { discard; }`+"\n", 2000),
			"To: " + strings.Repeat("a@xn--bcher-kva.example,", 2500) + "\r\n", "implicit keep; s:"},
		{"many addresses", strings.Repeat(`if address :localpart "to" "b" { discard; }`+"\n", 9000),
			"To: " + strings.Repeat("a@b,", 16_000) + "\r\n", "implicit keep; s:"},
		{"encoded words", `if header :contains "x" "b" { discard; }`,
			strings.Repeat("X: "+strings.Repeat("=?utf-8?q?a?= ", 4600)+"\r\n", 3), "implicit keep"},
		{"dates", `require "date";` + strings.Repeat(`if date "x" "year" "1" { discard; }`+"\n", 9000),
			strings.Repeat("X: Mon, 23 Nov 2026 10:00:00 +0100\r\n", 999), "implicit keep; s:"},
		{"edits", `require "editheader";` + strings.Repeat(`addheader "A" "b"; deleteheader "A";`+"\n", 9000),
			strings.Repeat("B: c\r\n", 998), "implicit keep; s:"},
		{"bodies", `require "body";` + strings.Repeat(`if body :text :contains "y" { discard; }`+"\n", 500),
			"Content-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n", 330_000),
			"implicit keep; s:"},
		{"HTML", `require "body";` + strings.Repeat(`if body :text :contains "y" { discard; }`+"\n", 500),
			"Content-Type: text/html\r\n\r\n" + strings.Repeat("<b>&amp;", 500_000), "implicit keep; s:"},
		{"loops in loops", `require ["foreverypart", "mime"];` + strings.Repeat(`foreverypart { `, 4) +
			`if header :mime :anychild :contains "subject" "x" { discard; }` + strings.Repeat("}", 4), nested(15, 400),
			"implicit keep"},
		{"parts in parts", `require ["mime"]; if exists :mime :anychild "x" { discard; }`, nested(1000, 1), "implicit keep"},
		{"many parts", `require ["mime"]; if exists :mime :anychild "x" { discard; }`, nested(1, 100_000), "implicit keep"},
		{"many folders", `require ["fileinto"];` + repeat(1600, "fileinto \"f%d\";\n"), mail,
			"implicit keep; s:33:1: total number of actions exceeds policy limit: more than 32"},
		{"many redirects", repeat(1000, "redirect \"a%d@b.example\";\n"), mail,
			"implicit keep; s:5:1: number of redirect actions exceeds policy limit: more than 4"},
		{"many replacements", `require ["replace", "foreverypart", "mime"];
foreverypart { if not exists :mime "content-type" { replace "` + strings.Repeat("x", 900_000) + `"; } }`,
			"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + strings.Repeat("--a\r\n\r\n", 400),
			"implicit keep; s:2:53: the script takes too long"},
		{"replacements in replacements", `require ["replace", "foreverypart", "mime"];
foreverypart { if not exists :mime "content-type" { replace :mime "` + inner + `"; foreverypart {
replace :mime "` + strings.NewReplacer("=b", "=c", "--b", "--c").Replace(inner) +
			`"; foreverypart { replace "x"; } } } }`,
			"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + strings.Repeat("--a\r\n\r\n", 400), "implicit keep; s:"},
		{"many flags", `require "imap4flags";` + repeat(9000, "addflag \"f%d\";\n"), mail, "implicit keep"},
		{"a name that is no name", "require [\"fileinto\", \"variables\"];\nset \"a\" \"b\nc\"; fileinto \"${a}\";", mail,
			"implicit keep; s:3:5: invalid folder name 'b\r\nc'"},
		{"a name that is no UTF-8", "require \"fileinto\"; fileinto \"a\xff\";", mail, ""},
		{"an address by variables", `require "variables"; set "a" "x y"; redirect "${a}@b.example";`, mail,
			"implicit keep; s:1:37: the address 'x y@b.example' is invalid: it has to be local@domain"},
		{"no address", `redirect "not an address";`, mail, ""},
		{"a field by variables", `require ["editheader", "variables"]; set "a" "A: b"; addheader "${a}" "c";`, mail,
			"implicit keep; s:1:54: the field name 'A: b' is invalid"},
		{"a size beyond numbers", `if size :over 99999999999G { discard; }`, mail, ""},
		{"the largest size", `if size :over 18446744073709551615 { discard; }`, mail, "implicit keep"},
		{"else without if", `else { discard; }`, mail, ""},
		{"a namespace that there is not", `require "variables"; set "a" "${foo.bar}";`, mail, ""},
		{"NUL", "keep;\x00", mail, ""},
		{"a string of 10 MB", `require "fileinto"; fileinto "` + strings.Repeat("x", 10<<20) + `";`, mail, ""},
		{"three million nots", "if " + strings.Repeat("not ", 3_000_000) + "true { discard; }", mail, ""},
		{"blocks in blocks", strings.Repeat("if true {", 100_000), mail, ""},
		{"a header of a megabyte", `discard;`, strings.Repeat("X: "+strings.Repeat("a", 1000)+"\r\n", 1000), "unreadable"},
	}
}

// run compiles the script of a case and runs it, and returns how that ended and what it took of the budget.
func (h *hostile) run(tb testing.TB) (ended string, steps int64) {
	p, problems := Compile(&syntax.Source{Name: "s", Text: h.script}, all)
	if p == nil {
		if len(problems) == 0 {
			tb.Fatal("no program, and no problem")
		}
		return "", 0
	}
	m, err := message.Read(strings.NewReader(h.message), int64(len(h.message)))
	if err != nil {
		return "unreadable", 0
	}
	in := input(tb, mail)
	in.Message = m
	r := p.Run(tb.Context(), in)
	return outcome(r), r.Steps
}

// maxHostile is what a hostile case may allocate, in octets, all that is freed again included.
const maxHostile = 64 << 20

// TestHostileScripts: scripts and messages that are made to hurt end within the budget of steps and of memory. The
// message is kept, or what the script says is done; it is never discarded by mistake. How long they take is measured by
// BenchmarkHostile.
func TestHostileScripts(t *testing.T) {
	for _, tt := range hostileCases() {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			ended, steps := tt.run(t)
			runtime.ReadMemStats(&after)
			if !strings.HasPrefix(ended, tt.want) || tt.want == "" && ended != "" {
				t.Errorf("%.200s; want %s", ended, tt.want)
			}
			if steps > DefaultLimits.Steps+1 {
				t.Errorf("%d steps, more than %d", steps, DefaultLimits.Steps)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > maxHostile {
				t.Errorf("it allocated %d MiB", n>>20)
			}
			t.Logf("%d steps, %d KiB: %.100s", steps, (after.TotalAlloc-before.TotalAlloc)>>10, ended)
		})
	}
}

// BenchmarkHostile is what each of these cases takes, its script compiled and run.
func BenchmarkHostile(b *testing.B) {
	for _, tt := range hostileCases() {
		b.Run(strings.ReplaceAll(tt.name, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				tt.run(b)
			}
			reportProcessor(b, before)
		})
	}
}

// processorTime is what this process took of the processors so far. Unlike the time on the clock it does not depend on
// what else the machine does.
func processorTime(tb testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// repeat writes a line n times, with a number in each.
func repeat(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

// listOf writes a list of n strings, with a number in each.
func listOf(n int, text string) string {
	return "[" + strings.TrimSuffix(repeat(n, fmt.Sprintf("%q,", text)), ",") + "]"
}

// nested is a message with multiparts in one another, and parts in the innermost.
func nested(depth, parts int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for range parts {
		fmt.Fprintf(&b, "Subject: a\r\n\r\nb\r\n--b%d\r\n", depth-1)
	}
	return b.String()
}
