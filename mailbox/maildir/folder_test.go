package maildir

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The forms in modified UTF-7 are those that Dovecot makes of the same names (the test of the
// program against it creates one), the first example is of RFC 3501 §5.1.3; those in UTF-8 are
// what maildirmake of Courier makes.
func TestFolderDir(t *testing.T) {
	tests := []struct{ name, folder, utf7, utf8 string }{
		{"plain", "Sent", ".Sent", ".Sent"},
		{"levels", "Lists.Go.dev", ".Lists.Go.dev", ".Lists.Go.dev"},
		{"case is kept", "sENT", ".sENT", ".sENT"},
		{"MDIR-11 RFC 3501 §5.1.3", "mail.~peter.台北.日本語", ".mail.~peter.&U,BTFw-.&ZeVnLIqe-", ".mail.~peter.台北.日本語"},
		{"MDIR-11 mixed", "Räksmörgås & Co", ".R&AOQ-ksm&APY-rg&AOU-s &- Co", ".Räksmörgås & Co"},
		{"MDIR-11 Courier's example", "Résumé", ".R&AOk-sum&AOk-", ".Résumé"},
		{"MDIR-11 NFD is made NFC", "Re\u0301sume\u0301", ".R&AOk-sum&AOk-", ".Résumé"},
		{"MDIR-11 compatibility forms stay", "ﬁle", ".&+wE-le", ".ﬁle"},
		{"MDIR-11 ampersands", "&&-", ".&-&--", ".&&-"},
		{"MDIR-11 outside the BMP", "📬", ".&2D3c7A-", ".📬"},
		{"MDIR-11 slash of base64 is a comma", "台北", ".&U,BTFw-", ".台北"},
		{"MDIR-11 one shift for a run", "äöü", ".&AOQA9gD8-", ".äöü"},
		{"MDIR-11 punctuation is direct", "a-b_c+d,e~f\\g", ".a-b_c+d,e~f\\g", ".a-b_c+d,e~f\\g"},
		{"MDIR-11 long in UTF-7 only", strings.Repeat("é", 90), "", "." + strings.Repeat("é", 90)},
		{"MDIR-10 level of 200 octets", strings.Repeat("a", 200), "." + strings.Repeat("a", 200),
			"." + strings.Repeat("a", 200)},
		{"MDIR-10 level over 200 octets", strings.Repeat("a", 201), "", ""},
		{"MDIR-10 over 254 octets", strings.Repeat("a", 127) + "." + strings.Repeat("a", 127), "", ""},
		{"MDIR-10 far too long", strings.Repeat("a.", 1<<20), "", ""},
		{"MDIR-10 empty", "", "", ""},
		{"MDIR-10 dot", ".", "", ""},
		{"MDIR-10 leading dot", ".a", "", ""},
		{"MDIR-10 trailing dot", "a.", "", ""},
		{"MDIR-10 empty level", "a..b", "", ""},
		{"MDIR-10 slash", "a/b", "", ""},
		{"MDIR-10 way out", "../../etc", "", ""},
		{"MDIR-10 NUL", "a\x00b", "", ""},
		{"MDIR-10 C1", "a\u0085b", "", ""},
		{"MDIR-10 line end", "a\nb", "", ""},
		{"MDIR-10 not UTF-8", "a\xe9", "", ""},
		{"MDIR-10 surrogate", "a\xed\xa0\x80", "", ""},
		{"MDIR-10 INBOX", "InBox", "", ""},
		{"below INBOX", "INBOX.a", ".INBOX.a", ".INBOX.a"},
		{"below INBOX in another case", "Inbox.a", "", ""},
		{"below inbox further down", "a.inbox.b", ".a.inbox.b", ".a.inbox.b"},
		{"only begins as INBOX", "inboxes.a", ".inboxes.a", ".inboxes.a"},
		{"home directory", "~", "", ""},
		{"a user's home directory", "~root.a", "", ""},
		{"tilde further on", "a~.~b", ".a~.~b", ".a~.~b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for encoding, want := range map[FolderEncoding]string{FolderUTF7: tt.utf7, FolderUTF8: tt.utf8} {
				got, err := encoding.Dir(tt.folder)
				if got != want || (want == "") != errors.Is(err, ErrFolderName) {
					t.Errorf("encoding %d: %q, %v, want %q", encoding, got, err, want)
				}
				if err != nil {
					continue
				}
				if name, err := encoding.Name(got); err != nil || name != norm.NFC.String(tt.folder) {
					t.Errorf("encoding %d: %q is read %q, %v", encoding, got, name, err)
				}
			}
		})
	}
}

func TestFolderNameRefuses(t *testing.T) {
	for what, dir := range map[string]string{
		"no folder":                      "cur",
		"empty":                          "",
		"dot":                            ".",
		"raw UTF-8":                      ".Résumé",
		"shift without an end":           ".R&AOk",
		"no base64":                      ".&A!-",
		"half a UTF-16 unit":             ".&AA-",
		"bits after the last unit":       ".&AOl-",
		"a lone surrogate":               ".&2D0-",
		"what could be written as ASCII": ".&AGE-",
		"two shifts where one would do":  ".&AOQ-&APY-",
		"a slash in base64":              ".&AC8-",
		"a dot in base64":                ".a&AC4-b",
		"NFD":                            ".e&AwE-",
		"a control":                      ".a\x01",
	} {
		if name, err := FolderUTF7.Name(dir); !errors.Is(err, ErrFolderName) {
			t.Errorf("%s: %q is read %q, %v", what, dir, name, err)
		}
	}
	if name, err := FolderUTF8.Name(".e\u0301"); err == nil {
		t.Errorf("NFD is read %q", name)
	}
}

// FuzzFolder: whatever name has a directory, it is one component that stays in the Maildir, and
// is read to the same name again; different names have different directories.
func FuzzFolder(f *testing.F) {
	for _, s := range []string{"Sent", "Räksmörgås & Co", "📬.日本語", "../x", "&AOk-", "a\u0301", "&-"} {
		f.Add(s, "Sent")
		f.Add("R&AOk-sum&AOk-", s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, encoding := range []FolderEncoding{FolderUTF7, FolderUTF8} {
			dir, err := encoding.Dir(a)
			if err != nil {
				if !errors.Is(err, ErrFolderName) {
					t.Errorf("%q: error %v has no class", a, err)
				}
			} else {
				if len(dir) > 255 || len(dir) < 2 || dir[:2] == ".." || strings.ContainsAny(dir, "/\x00") ||
					!utf8.ValidString(dir) {
					t.Errorf("%q is in %q", a, dir)
				}
				if name, err := encoding.Name(dir); err != nil || name != norm.NFC.String(a) {
					t.Errorf("%q is in %q, which is %q, %v", a, dir, name, err)
				}
				other, err := encoding.Dir(b)
				if err == nil && (dir == other) != (norm.NFC.String(a) == norm.NFC.String(b)) {
					t.Errorf("%q and %q are in %q and %q", a, b, dir, other)
				}
			}
			if name, err := encoding.Name(a); err == nil {
				if dir, err := encoding.Dir(name); err != nil || dir != a {
					t.Errorf("%q is %q, which is in %q, %v", a, name, dir, err)
				}
			}
		}
	})
}
