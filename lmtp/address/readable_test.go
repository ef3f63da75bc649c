package address_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestReadable: letters of all scripts are shown as they are; what cannot be seen, or turns what can, is not.
func TestReadable(t *testing.T) {
	for _, tt := range []struct{ name, octets, want string }{
		{"nothing", "", ""},
		{"ASCII", "a@d.example", "a@d.example"},
		{"scripts", "nøpe日本אב한ไक用户почта@例え.example", "nøpe日本אב한ไक用户почта@例え.example"},
		{"symbols", "I❤µs→…🎉", "I❤µs→…🎉"},
		{"a mark on a letter", "JOSE\u0301", "JOSE\u0301"},
		{"two marks on a letter", "a\u0323\u0302", "a\u0323\u0302"},
		{"a mark on nothing", "\u0301a", `\x{301}a`},
		{"a mark on what stands before", "=\u0301 \u0338", `=\x{301} \x{338}`},
		{"ends of lines", "\r\n\u0085\u2028\u2029", `\x{d}\x{a}\x{85}\x{2028}\x{2029}`},
		{"terminal escapes", "\x1b[2J\u009b0m\x7f", `\x{1b}[2J\x{9b}0m\x{7f}`},
		{"bidi controls", "\u202a\u202e\u2066\u2069\u200f\u061c", `\x{202a}\x{202e}\x{2066}\x{2069}\x{200f}\x{61c}`},
		{"invisible", "\u200b\u200d\ufeff\u00ad\u034f\u115f\u3164\uffa0\ufe0f\u2800\u17b4",
			`\x{200b}\x{200d}\x{feff}\x{ad}\x{34f}\x{115f}\x{3164}\x{ffa0}\x{fe0f}\x{2800}\x{17b4}`},
		{"tags", "\U000e0001\U000e0041\U000e0100", `\x{e0001}\x{e0041}\x{e0100}`},
		{"spaces", "a\u00a0b\u3000c\u2003d", `a\x{a0}b\x{3000}c\x{2003}d`},
		{"private and unassigned", "\ue000\U0010fffd\u0378\uffff", `\x{e000}\x{10fffd}\x{378}\x{ffff}`},
		{"no UTF-8", "jos\xe9\xc0\xaf\xed\xa0\x80\xc3", `jos\xe9\xc0\xaf\xed\xa0\x80\xc3`},
		{"the sign for no UTF-8", "\ufffd", `\x{fffd}`},
	} {
		if got := address.Escape(tt.octets); got != tt.want {
			t.Errorf("%s: Escape %q, want %q", tt.name, got, tt.want)
		}
		got := address.Readable(tt.octets)
		if got != tt.want {
			t.Errorf("%s: Readable %q, want %q", tt.name, got, tt.want)
		}
		if lines := address.ReadableLines(tt.octets + "\n\t" + tt.octets); lines != got+"\n\t"+got &&
			!strings.Contains(tt.octets, "\n") {
			t.Errorf("%s: ReadableLines %q", tt.name, lines)
		}
		if again := address.Readable(got); again != got {
			t.Errorf("%s: escaped twice: %q", tt.name, again)
		}
		if back := address.Unescape(got); back != tt.octets {
			t.Errorf("%s: read back as %+q, want %+q", tt.name, back, tt.octets)
		}
	}
}

// TestEscapeBackslash: what looks like an escape and is none is not taken for one.
func TestEscapeBackslash(t *testing.T) {
	for octets, want := range map[string]string{
		`\x{e9}`:       `\x{5c}x{e9}`,
		`\xe9`:         `\x{5c}xe9`,
		`"a\"\\b"@d`:   `"a\"\\b"@d`,
		`"\\x{e9}"@d`:  `"\\x{e9}"@d`,
		"\\\x1b":       `\x{5c}\x{1b}`,
		`a\`:           `a\x{5c}`,
		"\\\u00e9":     "\\x{5c}\u00e9",
		`\\\x{41}`:     `\\\x{5c}x{41}`,
		"\\\\\u202e\\": `\\\x{202e}\x{5c}`,
	} {
		if got := address.Escape(octets); got != want {
			t.Errorf("%+q: %q, want %q", octets, got, want)
		}
		if back := address.Unescape(want); back != octets {
			t.Errorf("%q is read as %+q, want %+q", want, back, octets)
		}
	}
}

// TestUnescape reads what is pasted, and leaves alone what is no escape.
func TestUnescape(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"a@d.example":                       "a@d.example",
		`jos\x{e9}@xn--bcher-kva.example`:   "josé@xn--bcher-kva.example",
		`\x{1F389}@d.example`:               "🎉@d.example",
		`"jos\x{e9} x"@d.example`:           `"josé x"@d.example`,
		`"\"jos\\x{202e} x\"@d.example"`:    "\"jos\u202e x\"@d.example", // as the log quotes it
		"\"u1\\u202e@d.example\"":           "u1\u202e@d.example",        // as a message quotes it
		`"Postmaster"`:                      "Postmaster",
		`"a b"@d.example`:                   `"a b"@d.example`,
		`a\x{110000}`:                       `a\x{110000}`,
		`a\x{d800}`:                         `a\x{d800}`,
		`a\x{e9`:                            `a\x{e9`,
		`a\x{}`:                             `a\x{}`,
		`a\xg1`:                             `a\xg1`,
		`a\x1`:                              `a\x1`,
		`a\x{+9}\x{ffffffffffffffffffffff}`: `a\x{+9}\x{ffffffffffffffffffffff}`,
		`a\`:                                `a\`,
		`"`:                                 `"`,
	} {
		if got := address.Unescape(text); got != want {
			t.Errorf("%q: %+q, want %+q", text, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	for mailbox, want := range map[string]string{
		"":                                 "",
		"alice@example.org":                "alice@example.org",
		"用户@xn--r8jz45g.example":           "用户@例え.example",
		"用户@例え.example":                    "用户@例え.example",
		"@xn--r8jz45g.example":             "@例え.example",
		"no address":                       "no address",
		"u@xn--" + strings.Repeat("a", 99): "u@xn--" + strings.Repeat("a", 99),
		"u@1a.xn--4dbc":                    "u@1a.xn--4dbc",
		"u@[x:xn--bcher-kva]":              "u@[x:xn--bcher-kva]",
		"u\u202e@d.example":                `u\x{202e}@d.example`,
		"u@xn--u-ccb.example":              "u@xn--u-ccb.example",
	} {
		if got := address.Shown(mailbox); got != want {
			t.Errorf("%q: %q, want %q", mailbox, got, want)
		}
	}
	if got := address.DomainUnicode(strings.Repeat("xn--bcher-kva.", 1000)); !strings.HasPrefix(got, "xn--") {
		t.Error("a domain of 14000 octets is converted")
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		text string
		most int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "abc..."}, {"aé", 2, "a..."}, {"a用b", 3, "a..."}, {"a用b", 4, "a用..."},
		{"a🎉b", 4, "a..."}, {"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80..."}, {"é", 1, "..."},
	} {
		if got := address.Cut(tt.text, tt.most); got != tt.want {
			t.Errorf("%q at %d: %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}

// FuzzEscape: what is shown of any octets is harmless, is escaped once, and is read back as what it was.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a@d", `\x{e9}`, `\\x`, "\\\x1b", "\u0301", "jos\xe9", "\u202e", "用户", `"`, "=\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := address.Escape(s)
		checkShown(t, shown)
		checkShown(t, address.Readable(s))
		if again := address.Readable(shown); again != shown {
			t.Errorf("%+q is escaped twice: %q", s, again)
		}
		if quoted := len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"'; quoted {
			return // Unescape takes the quotes off
		}
		if back := address.Unescape(shown); back != s {
			t.Errorf("%+q is shown as %q, which is read as %+q", s, shown, back)
		}
	})
}

// checkShown wants one line of text that nothing in a terminal obeys, and nothing in it turns or hides.
func checkShown(t *testing.T, text string) {
	t.Helper()
	hidden := func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r) }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, hidden) {
		t.Errorf("%+q is not harmless", text)
	}
}
