package syntax

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// parse reads a script, and returns its problems in a line each.
func parse(text string) (*Script, string) {
	var problems Problems
	s := Parse(&Source{Name: "s", Text: text}, &problems)
	var lines []string
	for _, p := range problems.List {
		lines = append(lines, p.String())
	}
	return s, strings.Join(lines, "\n")
}

// TestPrint: what is printed of a script.
func TestPrint(t *testing.T) {
	for text, want := range map[string]string{
		"KEEP;":                                "keep;\n",
		"a :Tag 10K [ \"x\" , \"y\" ] \"z\" ;": "a :tag 10240 [\"x\", \"y\"] \"z\";\n",
		"if not anyof(a, b \"c\") { stop; } # end":     "if not anyof (a, b \"c\") {\n\tstop;\n}\n",
		"a /* in * between **/ \"\\\\ \\\" \\b\";":     "a \"\\\\ \\\" b\";\n",
		"a text: # why\n.one\n..two\nthree\n.\n;":      "a \".one\r\n.two\r\nthree\r\n\";\n",
		"a \"two\nlines\r\nand a third\\\nand more\";": "a \"two\r\nlines\r\nand a third\r\nand more\";\n",
		"\ufeffkeep;": "keep;\n",
		"":            "",
	} {
		s, problems := parse(text)
		if got := s.String(); problems != "" || got != want {
			t.Errorf("%q is printed as %q, want %q; %s", text, got, want, problems)
		}
	}
}

// TestProblems: each has its place, and those after it are found too.
func TestProblems(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a semicolon", "keep\nstop", "s:2:5: expected ';' or '{' after 'keep', but found end of file " +
			"(look for a missing ; or } above)"},
		{"two", "a $$;\nb [1];\nkeep;\nc (;", "s:1:3: unexpected character '$'\n" +
			"s:1:3: expected ';' or '{' after 'a', but found unknown characters\n" +
			"s:2:4: expected a string in the list, but found number 1\n" +
			"s:4:4: expected a test in the list, but found ';'"},
		{"no end of a string", "keep;\na \"b;\n", "s:2:3: the string has no end (look for a missing \")"},
		{"no end of a text", "a text:\nb\n", "s:1:3: the text has no end (it ends with a dot that is alone on its line)"},
		{"no end of a comment", "keep; /* b", "s:1:7: the comment has no end (it ends with */)"},
		{"no end of a block", "if a { b;", "s:1:10: expected '}' at the end of the block of 'if', but found end of file " +
			"(look for a missing ; or } above)"},
		{"a stray brace", "keep; }", "s:1:7: expected a command, but found '}'"},
		{"NUL", "a \"b\x00c\"; \x00;", "s:1:3: the string has a NUL character\ns:1:10: unexpected character '\\x00'"},
		{"NUL in comments", "# a\x00\n/* b\n\x00 */ keep;",
			"s:1:4: the comment has a NUL character\ns:3:1: the comment has a NUL character"},
		{"not UTF-8", "a \"b\xffc\";", "s:1:3: the string has octets that are not UTF-8 (scripts are UTF-8)"},
		{"typographic quotes", "ü “a”;", "s:1:1: unexpected character 'ü'"},
		{"number", "a 99999999999G;", "s:1:3: the number is larger than 18446744073709551615"},
		{"columns count characters", "a \"ü\" %;", "s:1:7: unexpected character '%'\n" +
			"s:1:7: expected ';' or '{' after 'a', but found unknown characters"},
	} {
		if _, got := parse(tt.text); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// TestEnd: a problem says where what it is about ends.
func TestEnd(t *testing.T) {
	var problems Problems
	Parse(&Source{Text: "keep;\na 999999999999999999999 \"b\";"}, &problems)
	p := problems.List[0]
	if p.Line != 2 || p.Column != 3 || p.EndLine != 2 || p.EndColumn != 24 {
		t.Errorf("the number is at %d:%d to %d:%d", p.Line, p.Column, p.EndLine, p.EndColumn)
	}
}

// TestHostile: scripts that are made to hurt cost little, and have a problem.
func TestHostile(t *testing.T) {
	for name, text := range map[string]string{
		"three million nots":  "if " + strings.Repeat("not ", 3_000_000) + "true {}",
		"as many as fit":      "if " + strings.Repeat("not ", MaxText/4-10) + "true {}",
		"nested blocks":       strings.Repeat("if true {", MaxText/10),
		"nested lists":        "if " + strings.Repeat("anyof(", MaxText/7),
		"nested strings":      "a " + strings.Repeat("[", MaxText-10),
		"a string of 10 MB":   "a \"" + strings.Repeat("x", 10<<20) + "\";",
		"arguments":           "a " + strings.Repeat("1 ", MaxText/2-10) + ";",
		"a list":              "a [" + strings.Repeat("\"\",", MaxText/3-10) + "\"\"];",
		"garbage":             strings.Repeat("$ a ", MaxText/4),
		"a name":              strings.Repeat("x", MaxText-1) + ";",
		"a comment":           "/*" + strings.Repeat("*", MaxText-2),
		"lines without end":   "a text:\n" + strings.Repeat("..\n", MaxText/3-10),
		"backslashes":         "a \"" + strings.Repeat(`\`, MaxText-10),
		"commands":            strings.Repeat("a;", MaxText/2),
		"digits":              "a " + strings.Repeat("9", MaxText-10),
		"octets of no script": strings.Repeat("\xff\x00", MaxText/2),
	} {
		began := time.Now()
		_, problems := parse(text)
		if problems == "" {
			t.Errorf("%s: no problem", name)
		}
		if took := time.Since(began); took > 5*time.Second { // some milliseconds on a machine that is not busy
			t.Errorf("%s took %v", name, took)
		}
	}
}

// withoutSpans forgets where the commands stood.
func withoutSpans(list []*Command) {
	for _, c := range list {
		c.Span = Span{}
		for i := range c.Arguments {
			c.Arguments[i].Span = Span{}
			for j := range c.Arguments[i].List {
				c.Arguments[i].List[j].Span = Span{}
			}
		}
		withoutSpans(c.Tests)
		withoutSpans(c.Block)
	}
}

// FuzzParse: the parser ends whatever it reads, its problems have places in the text, and what it prints of a script is
// that script.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"keep;", "if anyof (a \"b\" [\"c\", \"d\"], not e :f 1G) { g; } else { h text:\n..i\n.\n; }", "a [\"\n",
		"/*", "text:",
		"\"\\", "a :b :c;", "if ( , { ; } ]", "a text:#\n.\n;", "a \"\r\n\\\r\n\";",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var problems Problems
		s := Parse(&Source{Text: text}, &problems)
		for _, p := range problems.List {
			if p.Line < 1 || p.Column < 1 || p.EndLine < p.Line || p.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("%+v", p)
			}
		}
		if problems.Failed() {
			return
		}
		printed := s.String()
		again, left := parse(printed)
		if left != "" {
			t.Fatalf("%q is printed as %q, which has problems: %s", text, printed, left)
		}
		withoutSpans(s.Commands)
		withoutSpans(again.Commands)
		if !reflect.DeepEqual(s.Commands, again.Commands) {
			t.Fatalf("%q is printed as %q, which is another script", text, printed)
		}
	})
}
