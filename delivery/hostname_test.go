package delivery_test

import (
	"strings"
	"testing"
)

// TestReceivedHostname: a trace field has the server's name in A-labels, as without SMTPUTF8 it is ASCII
// (RFC 6531 §3.7.3).
func TestReceivedHostname(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.server.Hostname = "mx.bücher.example"
	f.say(t, "unix", `
S: 220
C: LHLO client.example
S: 250
C: MAIL FROM:<>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C> Subject: s\r\n\r\n.\r\n
S: 250 2.0.0
`)
	f.shutdown(t)
	for _, m := range f.messages(t, "u1") {
		if !strings.Contains(m, "\n\tby mx.xn--bcher-kva.example with LMTP id ") {
			t.Errorf("stored\n%s", m)
		}
	}
	if n := len(f.messages(t, "u1")); n != 1 {
		t.Errorf("%d messages", n)
	}
}
