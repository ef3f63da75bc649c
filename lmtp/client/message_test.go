package client

import (
	"errors"
	"net"
	"strings"
	"testing"
)

func TestMessagesThatCannotBeSent(t *testing.T) {
	plain := Extensions{"PIPELINING": ""}
	for _, tt := range []struct {
		name string
		m    Message
		want error
		text string
	}{
		{"no recipient", Message{}, nil, "no recipient"},
		{"line end in From", Message{From: "a@b\r\nRSET", To: To("u@d")}, nil, "control character"},
		{"line end in To", Message{To: To("u@d\nDATA")}, nil, "control character"},
		{"parameter in To", Message{To: To("u@d> NOTIFY=NEVER")}, nil, `'>' in address`},
		{"space in From", Message{From: "a b@c", To: To("u@d")}, nil, `' ' in address`},
		{"open quote", Message{To: To(`"u@d`)}, nil, "open quote"},
		{"body", Message{To: To("u@d"), Body: "BINARYMIME"}, nil, "neither 7BIT nor 8BITMIME"},
		{"UTF-8 recipient", Message{To: To("u@d", "用户@例え.example")}, ErrNotOffered,
			`SMTPUTF8, for the address "用户@例え.example"`},
		{"UTF-8 sender", Message{From: "josé@d", To: To("u@d")}, ErrNotOffered, `SMTPUTF8, for the address "josé@d"`},
		{"UTF-8 asked for", Message{To: To("u@d"), UTF8: UTF8Always}, ErrNotOffered, "SMTPUTF8"},
		{"8-bit content", Message{To: To("u@d"), Body: "8BITMIME"}, ErrNotOffered, "8BITMIME"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			c := &Client{wire: newWire(ours, Options{}), extensions: plain}
			defer c.Close()
			r, err := c.Send(t.Context(), tt.m) // a write would block for ever
			if err == nil || r != nil || !strings.Contains(err.Error(), tt.text) || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, %v, want an error with %q", r, err, tt.text)
			}
		})
	}
}

func TestMailCommand(t *testing.T) {
	all := Extensions{"SIZE": "1000", "8BITMIME": "", "SMTPUTF8": ""}
	for _, tt := range []struct {
		m    Message
		e    Extensions
		want string
	}{
		{Message{}, all, "MAIL FROM:<>"},
		{Message{From: "a@b", Size: 7}, all, "MAIL FROM:<a@b> SIZE=7"},
		{Message{From: "a@b", Size: 7, Body: "7bit"}, nil, "MAIL FROM:<a@b>"},
		{Message{From: "a@b", Body: "7bit"}, all, "MAIL FROM:<a@b> BODY=7BIT"},
		{Message{From: `"a b>"@c`}, all, `MAIL FROM:<"a b>"@c>`},
		{Message{From: "josé@b", Size: 2000, Body: "8BITMIME"}, all, "MAIL FROM:<josé@b> SIZE=2000 BODY=8BITMIME SMTPUTF8"},
		{Message{From: "a@b", To: To("é@b")}, all, "MAIL FROM:<a@b> SMTPUTF8"},
		{Message{From: "a@b", To: To("é@b"), UTF8: UTF8Never}, nil, "MAIL FROM:<a@b>"},
		{Message{From: "a@b", UTF8: UTF8Always}, all, "MAIL FROM:<a@b> SMTPUTF8"},
		{Message{RequireTLS: true}, Extensions{"REQUIRETLS": ""}, "MAIL FROM:<> REQUIRETLS"},
	} {
		got, err := (&Client{extensions: tt.e}).mailCommand(tt.m)
		if err != nil || got != tt.want {
			t.Errorf("%+v: %q, %v, want %q", tt.m, got, err, tt.want)
		}
	}
	if got, err := (&Client{extensions: all}).mailCommand(Message{RequireTLS: true}); !errors.Is(err, ErrNotOffered) {
		t.Errorf("%q, %v", got, err)
	}
}
