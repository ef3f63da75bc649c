package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// DSN-04, DSN-09: parameters are encoded as RFC 3461 §4 and RFC 6533 §3 have it, in every RCPT their own.
func TestDSN(t *testing.T) {
	const dialogue = `
S: 220 mx.example LMTP ready
C: LHLO localhost
S: 250-mx.example
S: 250-SMTPUTF8
S: 250 DSN
C: MAIL FROM:<a@src.example> RET=HDRS ENVID=QQ+2B+3D+201
S: 250 ok
C: RCPT TO:<u1@dst.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;u1+2Btag@dst.example
S: 250 ok
C: RCPT TO:<u2@dst.example> NOTIFY=NEVER ORCPT=utf-8;\x{7528}\x{6237}@\x{4F8B}\x{3048}.example
S: 250 ok
C: RCPT TO:<u3@dst.example>
S: 550 no
C: DATA
S: 354 ok
C: x
C: .
S: 250 ok
S: 250 ok`
	against(t, script{text: dialogue}, Options{}, func(c *Client) {
		send(t, c, Message{From: "a@src.example", Return: "hdrs", EnvelopeID: "QQ+= 1", To: []Recipient{
			{Address: "u1@dst.example", Notify: "success,delay",
				Original: address.Original{Type: "rfc822", Address: "u1+tag@dst.example"}},
			{Address: "u2@dst.example", Notify: "Never",
				Original: address.Original{Type: "utf-8", Address: "用户@例え.example"}},
			{Address: "u3@dst.example"},
		}, Content: strings.NewReader("x")})
	})
}

func TestWrongDSN(t *testing.T) {
	of := func(r Recipient) Message { return Message{To: []Recipient{r}} }
	for name, tt := range map[string]struct {
		m    Message
		text string
	}{
		"return":                  {Message{To: To("u@d"), Return: "BODY"}, "neither FULL nor HDRS"},
		"identifier not ASCII":    {Message{To: To("u@d"), EnvelopeID: "é"}, "not printable ASCII"},
		"identifier of two lines": {Message{To: To("u@d"), EnvelopeID: "a\r\nRSET"}, "not printable ASCII"},
		"identifier too long":     {Message{To: To("u@d"), EnvelopeID: strings.Repeat("+", 34)}, "of 102 octets"},
		"original":                {of(Recipient{Original: address.Original{Address: "a@b"}}), "not TYPE;ADDRESS"},
		"notify unknown":          {of(Recipient{Notify: "ALWAYS"}), "neither NEVER nor of"},
		"notify empty word":       {of(Recipient{Notify: "SUCCESS,"}), "neither NEVER nor of"},
		"notify never and":        {of(Recipient{Notify: "SUCCESS,NEVER"}), "beside other words"},
		"notify twice":            {of(Recipient{Notify: "DELAY,delay"}), "DELAY comes twice"},
		"notify with parameter":   {of(Recipient{Notify: "DELAY ORCPT=x"}), "neither NEVER nor of"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.m.Check(); err == nil || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v, want %q", err, tt.text)
			}
		})
	}
}

// Nothing of a message that asks for reports goes to a server that would not know what it is asked.
func TestDSNNotOffered(t *testing.T) {
	for _, m := range []Message{
		{To: To("u@d"), Return: "FULL"},
		{To: To("u@d"), EnvelopeID: "1"},
		{To: []Recipient{{Address: "u@d", Notify: "NEVER"}}},
		{To: []Recipient{{Address: "u@d", Original: address.Original{Type: "rfc822", Address: "a@b"}}}},
	} {
		against(t, script{text: lhlo}, Options{}, func(c *Client) {
			r, err := c.Send(t.Context(), m)
			if r != nil || !errors.Is(err, ErrNotOffered) || !strings.Contains(err.Error(), "DSN") {
				t.Errorf("%+v: %v, %v", m, r, err)
			}
		})
	}
}
