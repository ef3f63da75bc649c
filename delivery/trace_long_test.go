package delivery

import (
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestTraceLineOfLongDomain: A-labels of 256 octets are more than 800 octets in U-labels, as which they stand in
// Received. With the longest detail that is no line (RFC 5322 §2.1.1), and a clause that cannot be written is left out.
func TestTraceLineOfLongDomain(t *testing.T) {
	label := strings.Repeat("𠀀", 50)
	ascii, err := address.DomainKey(strings.Repeat(label+".", 4) + "e")
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int]bool{1: true, 255: false} {
		to := address.Address{Local: strings.Repeat("x", size), Domain: ascii}
		message := &transaction{agent: &Agent{}, session: &lmtp.Session{Hello: "c.example"},
			envelope: &lmtp.Envelope{SMTPUTF8: true}}
		fields := string(message.traceFields(to, address.Original{}, time.Now()))
		for line := range strings.Lines(fields) {
			if len(line) > 1000 {
				t.Errorf("a line of %d octets", len(line))
			}
		}
		if got := strings.Contains(fields, "for <x"); got != want {
			t.Errorf("%d octets: there is a clause: %v, want %v", size, got, want)
		}
	}
}
