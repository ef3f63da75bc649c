package delivery_test

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/emersion/go-message/textproto"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestReadersSeeTheHeader has another program's reader take a stored message apart: our trace
// fields come first and whole, and the message's own header and body are what they were
// (DATA-06a, TRC-03, TRC-06).
func TestReadersSeeTheHeader(t *testing.T) {
	tests := []struct{ name, content, subject, body string }{
		{"header and body", "Subject: s\r\n\r\nb\r\n", "s", "b\n"},
		{"no header", "no header here\r\n", "", "no header here\n"},
		{"a first line that would continue ours", "\tx\r\nSubject: s\r\n\r\nb\r\n", "", "\tx\nSubject: s\n\nb\n"},
		{"an mbox line", "From a Mon Nov 23 17:00:00 2026\r\nSubject: s\r\n\r\nb\r\n", "s", "b\n"},
		{"foreign trace fields", "Return-Path: <x@y.example>\r\nReceived: from z\r\nSubject: s\r\n\r\nb\r\n", "s", "b\n"},
		{"nothing at all", "", "", ""},
		{"UTF-8 in the header", "Subject: gr\u00fc\u00dfe\r\n\r\nb\r\n", "gr\u00fc\u00dfe", "b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, "lmtp")
			deliver(t, f, tt.content)
			header, body := parse(t, f.messages(t, "u1"))
			for _, want := range []struct{ name, value string }{
				{"Return-Path", "<a@src.example>"}, {"Delivered-To", "u1@dst.example"}, {"Subject", tt.subject},
			} {
				if got := header.Get(want.name); got != want.value {
					t.Errorf("%s is %q, want %q", want.name, got, want.value)
				}
			}
			received := header.Get("Received")
			if !strings.HasPrefix(received, "from c.example by mx.dst.example with LMTP id ") ||
				strings.Count(received, ";") != 1 {
				t.Errorf("Received is %q", received)
			}
			if n := len(header.Values("Return-Path")); n != 1 {
				t.Errorf("%d Return-Path fields", n)
			}
			if body != tt.body {
				t.Errorf("body is %q, want %q", body, tt.body)
			}
		})
	}
}

// deliver sends a message to u1 over a pipe.
func deliver(t *testing.T, f *fixture, content string) {
	t.Helper()
	c, err := client.New(t.Context(), f.connect(t, "pipe"), client.Options{Hello: "c.example"})
	must(t, err)
	result, err := c.Send(t.Context(), client.Message{From: "a@src.example", To: client.To("u1@dst.example"),
		Content: strings.NewReader(content)})
	must(t, err)
	if !result.Recipients[0].Delivered() {
		t.Fatal(result.Recipients[0].Final)
	}
	must(t, c.Quit(t.Context()))
}

// parse reads the only message.
func parse(t *testing.T, messages []string) (header textproto.Header, body string) {
	t.Helper()
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	r := bufio.NewReader(strings.NewReader(messages[0]))
	header, err := textproto.ReadHeader(r)
	must(t, err)
	rest, err := io.ReadAll(r)
	must(t, err)
	return header, string(rest)
}
