package delivery

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// edit passes content through a headEditor in parts of n octets; 0 is all at once.
func edit(content string, n int) (string, error) {
	var out bytes.Buffer
	h := &headEditor{dst: &out}
	for rest := []byte(content); len(rest) > 0; {
		part := rest
		if n > 0 {
			part = rest[:min(n, len(rest))]
		}
		rest = rest[len(part):]
		if err := h.Write(part); err != nil {
			return out.String(), err
		}
	}
	err := h.Close()
	return out.String(), err
}

func TestHeadEditor(t *testing.T) {
	long := strings.Repeat("x", 3000)
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
		{"DATA-06a mbox line before a continuation", "From a\r\n b\r\nA: c\r\n\r\n", "\r\n b\r\nA: c\r\n\r\n"},
		{"DATA-06a only one mbox line", "From a\r\nFrom b\r\nA: c\r\n\r\n", "From b\r\nA: c\r\n\r\n"},
		{"DATA-06a mbox line and nothing else", "From a\r\n", "\r\n"},
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
				got, err := edit(tt.in, n)
				if err != nil || got != tt.want {
					t.Errorf("in parts of %d: %.200q, %v; want %.200q", n, got, err, tt.want)
				}
			}
		})
	}
}

// Content that never shows whether it has a header is not held for ever.
func TestHeadEditorHoldsLittle(t *testing.T) {
	var out bytes.Buffer
	h := &headEditor{dst: &out}
	line := []byte(strings.Repeat("word ", 20) + "\r\n")
	for written := 0; written < 4*maxUndecided; written += len(line) {
		if err := h.Write(line); err != nil {
			t.Fatal(err)
		}
		if len(h.held) > maxUndecided+len(line) {
			t.Fatalf("%d octets held", len(h.held))
		}
	}
	if !bytes.HasPrefix(out.Bytes(), []byte("\r\nword")) {
		t.Errorf("begins with %.20q", out.Bytes())
	}
}

func TestHeadEditorLoop(t *testing.T) {
	field := "Received: from x\r\n\tby y\r\n"
	if _, err := edit(strings.Repeat(field, maxReceived)+"\r\n"+field, 7); err != nil {
		t.Errorf("DATA-11: %d fields: %v", maxReceived, err)
	}
	if _, err := edit(strings.Repeat(field, maxReceived+1), 7); !errors.Is(err, errLoop) {
		t.Errorf("DATA-11: %d fields: %v", maxReceived+1, err)
	}
}

// FuzzHeadEditor: how content is cut into parts makes no difference, and what comes out is
// what went in, with at most an empty line more and Return-Path and mbox lines less.
func FuzzHeadEditor(f *testing.F) {
	f.Add([]byte("From x\r\nReturn-Path: <a>\r\n b\r\nA: b\r\n\r\nbody"), 3)
	f.Add([]byte(" x\r\n\r\n"), 1)
	f.Fuzz(func(t *testing.T, content []byte, n int) {
		whole, err := edit(string(content), 0)
		parts, errParts := edit(string(content), max(n%200, 1))
		if whole != parts || !errors.Is(errParts, err) {
			t.Fatalf("whole: %q %v\nparts: %q %v", whole, err, parts, errParts)
		}
		if err != nil {
			return
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
			!strings.HasPrefix(string(content), "From ") && !strings.HasSuffix(whole, string(content)) {
			t.Fatalf("%q became %q", content, whole)
		}
	})
}
