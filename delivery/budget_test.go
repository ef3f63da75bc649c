package delivery_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// TestPendingRecipients: what all sessions keep of their recipients is bounded, and free again when a transaction has
// ended, however it did.
func TestPendingRecipients(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.agent.MaxPending = 5 << 10 // for two recipients
	play := func(session string) { f.say(t, "unix", session) }
	const fill = `
C: MAIL FROM:<s@src.example>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: RCPT TO:<u2@dst.example>
S: 250 2.1.5
C: RCPT TO:<u3@dst.example>
S: 452 4.3.1
`
	play("P0\n" + fill + "C: RSET\nS: 250 2.0.0\n" + fill + `
C: DATA
S: 354
C: .
S: 250 2.0.0 x2
C: QUIT
S: 221 2.0.0
closed
`)
	play("P0\n" + fill + "C: QUIT\nS: 221 2.0.0\nclosed\n") // by then the transaction has ended
	play("P0\n" + fill + `
C: DATA
S: 354
C> a\nc\r\n.\r\n
S: 554 5.6.0 x2
C: MAIL FROM:<s@src.example>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
`)
}

// TestMemoryIsShort: no message is begun when memory is short, and the one under way is delivered.
func TestMemoryIsShort(t *testing.T) {
	f := newFixture(t, "lmtp")
	asked := 0
	f.agent.IsShort = func() bool { asked++; return asked == 2 || asked == 3 }
	f.say(t, "unix", `
P0
C: MAIL FROM:<s@src.example>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0
C: MAIL FROM:<s@src.example>
S: 452 4.3.1
C: RCPT TO:<u1@dst.example>
S: 503 5.5.1
C: MAIL FROM:<s@src.example>
S: 452 4.3.1
C: MAIL FROM:<s@src.example>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: DATA
S: 354
C: .
S: 250 2.0.0
C: QUIT
S: 221 2.0.0
`)
	if log := f.log.String(); strings.Count(log, "rule=memory") != 2 {
		t.Errorf("the log does not say so twice:\n%s", log)
	}
}

// TestPendingIsReleased: neither a preview nor a Commit that panics keeps what its recipients took.
func TestPendingIsReleased(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.agent.MaxPending = 3 << 10 // for one recipient
	to := []*lmtp.Recipient{{To: address.Address{Local: "u1", Domain: "dst.example"}}}
	broken := false
	f.agent.Now = func() time.Time {
		if broken {
			panic("clock")
		}
		return time.Now()
	}
	for range 2 {
		previews, err := f.agent.Preview(t.Context(), &lmtp.Envelope{}, to, strings.NewReader(""))
		must(t, err)
		must(t, previews[0].Err)
	}
	for range 2 {
		broken = false
		tx, err := f.agent.Mail(t.Context(), lmtp.LocalSession("mx.dst.example"), &lmtp.Envelope{})
		must(t, err)
		must(t, tx.Rcpt(t.Context(), to[0]))
		broken = true
		err = guard.Call(func() error { tx.Commit(t.Context()); return nil })
		if p := (*guard.Panic)(nil); !errors.As(err, &p) {
			t.Fatalf("Commit ends with %v", err)
		}
	}
}
