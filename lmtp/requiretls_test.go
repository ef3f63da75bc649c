package lmtp

import (
	"context"
	"testing"
)

// markHandler notes which messages must not travel without TLS.
type markHandler struct{ marks chan bool }

func (h markHandler) Mail(_ context.Context, _ *Session, env *Envelope) (Transaction, error) {
	h.marks <- env.RequireTLS
	return &nullTx{}, nil
}

// TestREQUIRETLS is RFC 8689 §2 and §4 from outside, for both protocols.
func TestREQUIRETLS(t *testing.T) {
	a := newAuthority(t)
	for p, hello := range map[Protocol]string{LMTP: "LHLO c.example", ESMTP: "EHLO c.example"} {
		t.Run("EXT-03 "+p.String(), func(t *testing.T) {
			h := markHandler{make(chan bool, 10)}
			s := a.server()
			s.Handler, s.Protocol = h, p
			d := talk(t, s)
			d.expect("220")
			d.say(hello)
			d.expect("250")
			d.say("MAIL FROM:<a@src.example> REQUIRETLS", "RCPT TO:<u1@dst.example>")
			d.expect("555 5.5.4", "503 5.5.1")
			d.startTLS(a.client())
			d.say(hello)
			d.expect("250")
			d.say("MAIL FROM:<a@src.example> REQUIRETLS=yes", "MAIL FROM:<a@src.example> REQUIRETLS REQUIRETLS")
			d.expect("501 5.5.4", "501 5.5.4")
			for _, mark := range []string{" requiretls", "", " REQUIRETLS BODY=8BITMIME", " BODY=8BITMIME"} {
				d.say("MAIL FROM:<a@src.example>"+mark, "RCPT TO:<u1@dst.example>", "DATA", "x", ".")
				d.expect("250 2.1.0", "250 2.1.5", "354", "250 2.0.0")
			}
			d.say("QUIT")
			d.expect("221 2.0.0")
			d.expectClosed()
			close(h.marks)
			var got []bool
			for mark := range h.marks {
				got = append(got, mark)
			}
			if len(got) != 4 || !got[0] || got[1] || !got[2] || got[3] {
				t.Errorf("marks are %v", got)
			}
		})
	}
}
