package message

import (
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestSplice reads a content of pieces in every way.
func TestSplice(t *testing.T) {
	var s splice
	var want strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		text := strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(20))
		want.WriteString(text)
		s.text(text)
	}
	for range 1000 {
		b := make([]byte, random.IntN(2*want.Len()))
		off := random.Int64N(int64(want.Len()) + 10)
		n, err := s.ReadAt(b, off)
		rest := want.String()[min(off, int64(want.Len())):]
		if string(b[:n]) != rest[:min(len(b), len(rest))] || (err == io.EOF) != (n < len(b) || off >= int64(want.Len())) {
			t.Fatalf("%d octets at %d: %q, %v", len(b), off, b[:n], err)
		}
	}
}

// TestReplaceAll replaces each part of a structure in turn, and then all: what is around stays octet by octet.
func TestReplaceAll(t *testing.T) {
	const text = "Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\nbefore\r\n--a\r\nX: 1\r\n\r\none\r\n" +
		"--a\r\nContent-Type: message/rfc822\r\n\r\nX: 2\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\n\r\nthree\r\n--b--\r\n--a--\r\nafter"
	count := 0
	root, err := read(t, text).Root()
	if err != nil {
		t.Fatal(err)
	}
	root.All(func(*Part) bool { count++; return true })
	for skip := 1; skip < count; skip++ {
		m := read(t, text).Copy()
		root, err := m.Root()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		root.All(func(p *Part) bool {
			if n == skip {
				old, readErr := io.ReadAll(io.NewSectionReader(p.owner.content, p.from, p.to-p.from))
				if err = p.Replace("Y: z\r\n\r\nnew"); err == nil {
					err = readErr
				}
				got, contentErr := m.Content(nil, nil)
				if want := strings.Replace(text, string(old), "Y: z\r\n\r\nnew", 1); string(got) != want || contentErr != nil {
					t.Errorf("part %d: %q\nwant %q", skip, got, want)
				}
				if m.Size() != int64(len(got)) {
					t.Errorf("part %d: %d octets, want %d", skip, m.Size(), len(got))
				}
				return false
			}
			n++
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		again, err := m.Copy().Root()
		if err != nil {
			t.Fatal(err)
		}
		replaced := 0
		again.All(func(p *Part) bool {
			if find(p.Header, "y") != nil {
				replaced++
			}
			return true
		})
		if replaced != 1 {
			t.Errorf("part %d: %d parts have the new header", skip, replaced)
		}
	}
}

// TestLastField: a message that ends in the middle of its header can be enclosed, and fields can come after it.
func TestLastField(t *testing.T) {
	m := read(t, "From: a@b.example\r\nSubject: x")
	added := append(slices.Clip(m.Header), NewField("X", "y"))
	got, err := m.Content(added, nil)
	if want := "From: a@b.example\r\nSubject: x\r\nX: y\r\n"; string(got) != want || err != nil {
		t.Errorf("%q, want %q: %v", got, want, err)
	}
	enclosed, err := Enclosed(m.Header[1:], "text", "b", m, m.Header)
	if err != nil {
		t.Fatal(err)
	}
	root, err := enclosed.Root()
	if err != nil || len(root.Parts) != 2 || len(root.Parts[1].Parts) != 1 || len(root.Parts[1].Parts[0].Header) != 2 {
		t.Errorf("%+v: %v", root, err)
	}
	if len(enclosed.Header) != 3 {
		t.Errorf("%d fields", len(enclosed.Header))
	}
}
