package delivery_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// TestGivenUp: the log says why a delivery was given up, and the reason is never one for good.
func TestGivenUp(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	gone, leave := context.WithCancelCause(t.Context())
	leave(lmtp.ErrClientGone)
	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for rule, ctx := range map[string]context.Context{"shutdown": canceled, "client_gone": gone, "timeout": late} {
		for range 20 { // either the store or the end of ctx comes first
			f := newFixture(t, "lmtp")
			tx, err := f.agent.Mail(t.Context(), lmtp.LocalSession("mx.dst.example"), &lmtp.Envelope{})
			must(t, err)
			for _, local := range []string{"u1", "team"} {
				must(t, tx.Rcpt(t.Context(), &lmtp.Recipient{To: address.Address{Local: local, Domain: "dst.example"}}))
			}
			_, err = io.WriteString(tx, "Subject: x\r\n\r\nx\r\n")
			must(t, err)
			for err := range tx.Commit(ctx) {
				if got := lmtp.RuleOf(err); got != rule || lmtp.RcptReply(err).Code != 451 {
					t.Fatalf("%s: the outcome is %v", rule, err)
				}
			}
		}
	}
}
