package message

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func read(t *testing.T, text string) *Message {
	t.Helper()
	m, err := Read(strings.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestHeader: fields by name, in order, with their values as people read them.
func TestHeader(t *testing.T) {
	m := read(t, "From: a@b\r\nSUBJECT:  =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?_da?=\r\n\t und mehr  \r\nX-Bad\r\n"+
		"x-latin : caf\xe9\nEmpty:\r\n\r\nBody: none\r\n")
	var got []string
	for _, f := range m.Header {
		got = append(got, f.Key()+"="+f.Value()+"|"+f.Folded())
	}
	want := []string{"from=a@b|a@b", "subject=Grüße da  und mehr|grüße da  und mehr", "x-latin=café|café", "empty=|"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if body, err := io.ReadAll(m.Body()); err != nil || string(body) != "Body: none\r\n" {
		t.Errorf("body %q, %v", body, err)
	}
	if read(t, "A: b\r\n").Body() != nil {
		t.Error("a message without an empty line has a body")
	}
}

// TestLimits: a header that is too large is an error, and one at the limit is none.
func TestLimits(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"many":          {strings.Repeat("A: b\r\n", MaxFields), true},
		"too many":      {strings.Repeat("A: b\r\n", MaxFields+1), false},
		"long":          {"A: " + strings.Repeat("b", MaxField-5) + "\r\n", true},
		"too long":      {"A: " + strings.Repeat("b", MaxField) + "\r\n", false},
		"large":         {strings.Repeat("A: "+strings.Repeat("b", 1000)+"\r\n", 900), false},
		"a large body":  {"A: b\r\n\r\n" + strings.Repeat("x\n", 1<<20), true},
		"body at start": {"\r\n" + strings.Repeat("x", 1<<20), true},
	} {
		_, err := Read(strings.NewReader(tt.text), int64(len(tt.text)))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(failing{}, 10); err == nil {
		t.Error("a message that cannot be read is read")
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }

// TestAddresses: what header fields hold, well-formed or not.
func TestAddresses(t *testing.T) {
	for _, tt := range []struct{ field, want string }{
		{"a@b.example", "a@b.example"},
		{"A B <a@b.example>", "a@b.example"},
		{`"A, B" <a@b.example>, c@d.example`, "a@b.example|c@d.example"},
		{"a@b.example (comment, with (one) in it), c(x)@(y)d.example", "a@b.example|c@d.example"},
		{"friends: a@b.example, C <c@d.example>;, e@f.example", "a@b.example|c@d.example|e@f.example"},
		{"undisclosed-recipients:;", ""},
		{"<@relay.example:a@b.example>", "a@b.example"},
		{`"a b"@c.example`, `"a b"@c.example`},
		{`"plain"@c.example`, "plain@c.example"},
		{"a @ b.example", "a@b.example"},
		{"jürgen@bücher.example, 用户 <用户@例え.example>", "jürgen@bücher.example|用户@例え.example"},
		{"a@[192.0.2.1]", "a@[192.0.2.1]"},
		{"nonsense", "!nonsense"},
		{"a@", "!a@"},
		{"@b", "!@b"},
		{"", "!"},
		{"a b@c.example", "!a b@c.example"},
		{"a@b.example <", "!a@b.example <"},
		{`"no end@b`, `!"no end@b`},
		{"a@b.example,,c@d.example;", "a@b.example|c@d.example"},
		{"<>", "!<>"},
	} {
		var got []string
		for _, a := range ParseAddresses(tt.field) {
			text := a.Text
			if !a.Valid {
				text = "!" + text
			}
			got = append(got, text)
		}
		if joined := strings.Join(got, "|"); joined != tt.want {
			t.Errorf("%q: %q, want %q", tt.field, joined, tt.want)
		}
	}
}

// TestParts: the structure of a message, and the texts in it.
func TestParts(t *testing.T) {
	m := read(t, strings.ReplaceAll(`Content-Type: multipart/mixed; boundary="out"

before
--out
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--in
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PHN0eWxlPnggeyB9PC9zdHlsZT48cD5ncsO8bjwvcD4=
--in--
--out
Content-Type: message/rfc822

Subject: inside

deep
--out
Content-Type: application/pdf
Content-Transfer-Encoding: x-unknown

%PDF
--out--
after
`, "\n", "\r\n"))
	root, err := m.Root()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	root.All(func(p *Part) bool {
		text, ok, err := p.Plain()
		if err != nil {
			t.Error(err)
		}
		if !ok {
			text = "-"
		}
		got = append(got, p.Type+"/"+p.Subtype+" "+text)
		return true
	})
	want := []string{
		"multipart/mixed -", "multipart/alternative -", "text/plain café", "text/html grün", "message/rfc822 -",
		"text/plain deep", "application/pdf -",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	before, _ := io.ReadAll(root.Around[0])
	after, _ := io.ReadAll(root.Around[1])
	if string(before) != "before" || string(after) != "after\r\n" {
		t.Errorf("around: %q, %q", before, after)
	}
}

// FuzzMessage: whatever comes, the header and the structure are read, and their parts are parts of the message.
func FuzzMessage(f *testing.F) {
	f.Add("From: a <b@c>, \"d\"@e\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n\r\nbody")
	f.Add("Content-Type: multipart/mixed; boundary=a\n\n--a\n\n--a\nContent-Type: message/rfc822\n\n--a--\n")
	f.Add("To: a:b,<c>;(((\r\n \r\nX\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Read(strings.NewReader(text), int64(len(text)))
		if err != nil {
			return
		}
		for _, f := range m.Header {
			if f.Folded() != Lower(f.Value()) {
				t.Fatalf("%q is folded to %q", f.Value(), f.Folded())
			}
			for _, a := range f.Addresses() {
				if a.Valid && a.Domain == "" || !a.Valid && a.Local+a.Domain != "" {
					t.Fatalf("%+v", a)
				}
			}
			f.Date()
		}
		root, err := m.Root()
		if err != nil {
			return
		}
		root.All(func(p *Part) bool {
			raw, err := io.ReadAll(p.Raw())
			if err != nil || !strings.Contains(text, string(raw)) {
				t.Fatalf("%q is no part of the message: %v", raw, err)
			}
			if _, _, err := p.Plain(); err != nil {
				t.Fatal(err)
			}
			return true
		})
		if content, err := m.Content(nil, nil); err != nil || string(content) != text {
			t.Fatalf("%q: %v", content, err)
		}
	})
}
