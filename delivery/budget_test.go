package delivery_test

import (
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// TestPendingRecipients: what all sessions keep of their recipients is bounded, and free again when a transaction has
// ended, however it did.
func TestPendingRecipients(t *testing.T) {
	f := newFixture(t, "lmtp")
	f.agent.MaxPending = 5 << 10 // for two recipients
	play := func(session string) {
		t.Helper()
		script, err := lmtptest.Parse("session", session)
		must(t, err)
		if err := script.Play(f.connect(t, "unix"), lmtptest.LockStep); err != nil {
			t.Errorf("%v\nlog:\n%s", err, f.log.String())
		}
	}
	const full = `
P0
C: MAIL FROM:<s@src.example>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: RCPT TO:<u2@dst.example>
S: 250 2.1.5
C: RCPT TO:<u3@dst.example>
S: 452 4.3.1
`
	play(full + `
C: RSET
S: 250 2.0.0
C: MAIL FROM:<s@src.example>
S: 250 2.1.0
C: RCPT TO:<u1@dst.example>
S: 250 2.1.5
C: RCPT TO:<u2@dst.example>
S: 250 2.1.5
C: RCPT TO:<u3@dst.example>
S: 452 4.3.1
C: DATA
S: 354
C: .
S: 250 2.0.0 x2
C: QUIT
S: 221 2.0.0
`)
	play(full + "\nC: QUIT\nS: 221 2.0.0\n")
	play(full + `
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
