package head

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// edit passes content through an Editor in parts of n octets; 0 is all at once.
func edit(t *testing.T, content string, n int) (string, *Editor) {
	t.Helper()
	var out bytes.Buffer
	e := &Editor{To: &out}
	editTo(t, e, content, n)
	return out.String(), e
}

func editTo(t *testing.T, e *Editor, content string, n int) {
	t.Helper()
	for rest := []byte(content); len(rest) > 0; {
		part := rest
		if n > 0 {
			part = rest[:min(n, len(rest))]
		}
		rest = rest[len(part):]
		if wrote, err := e.Write(part); err != nil || wrote != len(part) {
			t.Fatalf("wrote %d: %v", wrote, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEditor(t *testing.T) {
	long := strings.Repeat("x", 3000)
	const mbox = "From a Mon Nov 23 17:00:00 2026\r\n"
	tests := []struct{ name, in, want string }{
		{"DATA-06 empty", "", "\r\n"},
		{"DATA-06 header only", "A: b\r\n", "A: b\r\n"},
		{"DATA-06 header and body", "A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n"},
		{"DATA-06a body only, with its empty line", "\r\nbody\r\n", "\r\nbody\r\n"},
		{"DATA-06a body only", "no header here\r\n", "\r\nno header here\r\n"},
		{"DATA-06a body of two blocks", "one\r\n\r\nA: b\r\n", "\r\none\r\n\r\nA: b\r\n"},
		{"DATA-06a first line begins with a space", " A: b\r\nB: c\r\n\r\n", "\r\n A: b\r\nB: c\r\n\r\n"},
		{"DATA-06a a field after a line that is none", "junk\r\nA: b\r\n\r\nc\r\n", "junk\r\nA: b\r\n\r\nc\r\n"},
		{"DATA-06a colon after a space is a field", "A : b\r\n\r\n", "A : b\r\n\r\n"},
		{"DATA-06a a name with a space is none", "A b: c\r\n\r\n", "\r\nA b: c\r\n\r\n"},
		{"DATA-06a mbox line", "From a Mon Nov 23 17:00:00 2026\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"DATA-06a mbox line before a continuation", mbox + " b\r\nA: c\r\n\r\n", "\r\n" + mbox + " b\r\nA: c\r\n\r\n"},
		{"DATA-06a only one mbox line", mbox + mbox + "A: c\r\n\r\n", mbox + "A: c\r\n\r\n"},
		{"DATA-06a mbox line and nothing else", mbox, "\r\n" + mbox},
		{"DATA-06a mbox line before a body", mbox + "\r\nA: b\r\n", "\r\n" + mbox + "\r\nA: b\r\n"},
		{"DATA-06a mbox line that looks like a field", "From : Mon Nov 23 17:00:00 2026\r\n\r\n",
			"From : Mon Nov 23 17:00:00 2026\r\n\r\n"},
		{"DATA-06a mbox line, quoted", "From \"a b\"@c  Mon Nov  2 17:00:00 2026\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"DATA-06a mbox line without an address", "From  Mon Nov 23 17:00:00 2026\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"DATA-06a a sentence", "From now on we meet on Mon Nov 23\r\n\r\nbody\r\n",
			"\r\nFrom now on we meet on Mon Nov 23\r\n\r\nbody\r\n"},
		{"DATA-06a a sentence before a field", "From now on we meet\r\nA: b\r\n\r\n", "From now on we meet\r\nA: b\r\n\r\n"},
		{"DATA-06a From as a field, with a space", "From : a@b\r\n\r\n", "From : a@b\r\n\r\n"},
		{"DATA-06a quoted From stays", ">From a\r\nA: b\r\n\r\n", ">From a\r\nA: b\r\n\r\n"},
		{"TRC-06 Return-Path goes", "A: b\r\nreturn-path: <x>\r\n\ty\r\n z\r\nB: c\r\n\r\n", "A: b\r\nB: c\r\n\r\n"},
		{"TRC-06 Return-Path first", "Return-Path: <x>\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"TRC-06 Return-Path with space before the colon", "A: b\r\nReturn-Path  : <x>\r\n\r\n", "A: b\r\n\r\n"},
		{"TRC-06 Return-Path in the body stays", "A: b\r\n\r\nReturn-Path: <x>\r\n", "A: b\r\n\r\nReturn-Path: <x>\r\n"},
		{"TRC-06 only Return-Path", "Return-Path: <x>\r\n\r\nb\r\n", "\r\nb\r\n"},
		{"long Return-Path goes whole", "Return-Path: <" + long + ">\r\nA: b\r\n\r\n", "A: b\r\n\r\n"},
		{"long field stays whole", "A: " + long + "\r\n " + long + "\r\n\r\nb", "A: " + long + "\r\n " + long + "\r\n\r\nb"},
		{"long first line without colon", long + "\r\nb\r\n", "\r\n" + long + "\r\nb\r\n"},
		{"no line end at all", "A: b", "A: b"},
		{"empty lines of LF end a header too", "A: b\n\nReturn-Path: <x>\n", "A: b\n\nReturn-Path: <x>\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range []int{0, 1, 2, 3, 127, 128, 129} {
				if got, _ := edit(t, tt.in, n); got != tt.want {
					t.Errorf("in parts of %d: %.200q; want %.200q", n, got, tt.want)
				}
			}
		})
	}
}

// TestEditorBound: a header without an end is not held, and is edited all the same: fields that are too long to be
// held, too, and those that come after them.
func TestEditorBound(t *testing.T) {
	lines := func(n int, of string) string { return strings.Repeat(of, n/len(of)+1) }
	huge := "A: " + lines(3*Bound, "x") + "\r\n " + lines(Bound, "y\r\n\t") + "z\r\n"
	hugePath := "Return-Path: <" + lines(3*Bound, "x") + "\r\n " + lines(Bound, "y\r\n\t") + ">\r\n"
	many := lines(2*Bound, "A: b\r\n c\r\nB: d\r\n")
	const path = "Return-Path: <x>\r\n\ty\r\n"
	words := lines(2*Bound, "words without a colon\r\n")
	for name, tt := range map[string]struct{ in, want string }{
		"words":                 {words + path, "\r\n" + words + path},
		"one line":              {lines(2*Bound, "x"), "\r\n" + lines(2*Bound, "x")},
		"a field":               {huge + path + "C: d\r\n\r\n" + path, huge + "C: d\r\n\r\n" + path},
		"a field with no end":   {huge, huge},
		"a removed field":       {"A: b\r\n" + hugePath + "C: d\r\n\r\n" + path, "A: b\r\nC: d\r\n\r\n" + path},
		"removed, and no end":   {hugePath, ""},
		"removed, then a body":  {hugePath + "\r\n" + path, "\r\n" + path},
		"fields":                {many + path + many + "\r\n" + path, many + many + "\r\n" + path},
		"fields, no end":        {many + path + many + path, many + many},
		"an empty line at once": {"\r\n" + words, "\r\n" + words},
	} {
		for _, n := range []int{0, 13, 1000, Bound - 1, Bound, Bound + 1} {
			var out bytes.Buffer
			e := &Editor{To: &out}
			editTo(t, e, tt.in, n)
			if out.String() != tt.want {
				t.Errorf("%s, in parts of %d: %d octets, want %d", name, n, out.Len(), len(tt.want))
			}
			if cap(e.held) > 2*Bound {
				t.Errorf("%s: %d octets are held", name, cap(e.held))
			}
		}
	}
	// A field of which the bound shows nothing but its start is known by that.
	for before := Bound - 200; before < Bound+3; before++ {
		in := "A: " + strings.Repeat("x", before-5) + "\r\n" + path + "B: c\r\n\r\nd"
		if got, _ := edit(t, in, 0); got != strings.Replace(in, path, "", 1) {
			t.Fatalf("%d octets before the field: it stays", before)
		}
	}
}

// TestReceived counts to any number, by whole names, and in the header only.
func TestReceived(t *testing.T) {
	field := "Received: from x\r\n\tby y\r\n"
	in := strings.Repeat(field, 5000) + "X-" + field + "received : z\r\n Received: a\r\n\r\n" + field
	for _, n := range []int{0, 7} {
		if _, e := edit(t, in, n); e.Received != 5001 {
			t.Errorf("DATA-11: %d fields, want 5001", e.Received)
		}
	}
}

// TestHeader: the fields that are asked for are kept in order, each up to a bound and up to a number, also where they
// are removed.
func TestHeader(t *testing.T) {
	long := strings.Repeat("x", 2*MaxField)
	in := "Wanted: 1\r\nother: 2\r\nWANTED :\r\n 3\r\n\t4\r\nRemoved: 5\r\n 6\r\nLong: " + long + "\r\n" +
		strings.Repeat("Many: 7\r\n", MaxFields+10) + "Wanted: 8\r\n\r\nWanted: 9\r\n"
	for _, n := range []int{0, 1, 500} {
		var out bytes.Buffer
		is := func(names ...string) func([]byte) bool {
			return func(name []byte) bool {
				return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, string(name)) })
			}
		}
		e := &Editor{To: &out, Collect: is("wanted", "removed", "long", "many"), Remove: is("Removed")}
		editTo(t, e, in, n)
		if want := strings.Replace(in, "Removed: 5\r\n 6\r\n", "", 1); out.String() != want {
			t.Errorf("parts of %d: %q", n, out.String())
		}
		h := e.Header()
		if got := h.Values("Wanted"); !slices.Equal(got, []string{"1", "3 4", "8"}) {
			t.Errorf("parts of %d: wanted %q", n, got)
		}
		if h.Get("removed") != "5 6" || h.Has("Other") || len(h.Values("Many")) != MaxFields {
			t.Errorf("parts of %d: %v", n, h.Map())
		}
		if got := len(h.Get("Long")); got != MaxField-len("Long: ") {
			t.Errorf("parts of %d: a long field has %d octets", n, got)
		}
	}
}

// failing takes some writes, and then none.
type failing int

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if *f--; *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestWriteFails: an error of the next in line comes back, wherever in the message.
func TestWriteFails(t *testing.T) {
	for _, in := range []string{"body\r\n\r\n", "A: b\r\nReturn-Path: c\r\nD: e\r\n\r\nf",
		strings.Repeat("A: b\r\n", Bound)} {
		for writes := range 2 {
			to := failing(writes)
			e := &Editor{To: &to}
			_, err := e.Write([]byte(in))
			if err == nil {
				err = e.Close()
			}
			if !errors.Is(err, errFull) {
				t.Errorf("%.10q, %d writes: %v", in, writes, err)
			}
		}
	}
}

// FuzzEditor: how content is cut into parts makes no difference, and what comes out is what went in, with at most an
// empty line more and Return-Path and mbox lines less.
func FuzzEditor(f *testing.F) {
	f.Add([]byte("From x Mon Nov 23 17:00:00 2026\r\nReturn-Path: <a>\r\n b\r\nA: b\r\n\r\nbody"), 3)
	f.Add([]byte(" x\r\n\r\n"), 1)
	f.Fuzz(func(t *testing.T, content []byte, n int) {
		whole, e := edit(t, string(content), 0)
		parts, inParts := edit(t, string(content), max(n%200, 1))
		if whole != parts || e.Received != inParts.Received {
			t.Fatalf("whole: %q %d\nparts: %q %d", whole, e.Received, parts, inParts.Received)
		}
		rest := string(content)
		for _, line := range strings.SplitAfter(strings.TrimPrefix(whole, "\r\n"), "\n") {
			i := strings.Index(rest, line)
			if i < 0 {
				t.Fatalf("%q is not from the content, or not in order", line)
			}
			rest = rest[i+len(line):]
		}
		if !strings.Contains(strings.ToLower(string(content)), "return-path") &&
			!mboxLine.Match(content) && !strings.HasSuffix(whole, string(content)) {
			t.Fatalf("%q became %q", content, whole)
		}
	})
}
