package delivery_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A slowLog takes a second for lines that say "delivered", unless something happens meanwhile.
type slowLog struct {
	slog.Handler
	early  func()
	happen chan struct{}
}

func (l slowLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "delivered" {
		select {
		case <-l.happen:
			l.early()
		case <-time.After(time.Second): // in the bubble: when nobody can do anything else
		}
	}
	return l.Handler.Handle(ctx, r)
}

// TestLoggedBeforeAnswered: a recipient's line is in the log before the client has the reply. A server that is
// stopped right after it waits for sessions, and not for lines.
func TestLoggedBeforeAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, "lmtp")
		answered := make(chan struct{})
		f.agent.Log = slog.New(slowLog{f.agent.Log.Handler(), func() { t.Error("answered before it is in the log") },
			answered})
		client := f.connect(t, "pipe")
		replies := bufio.NewScanner(client)
		expect := func(reply string) {
			t.Helper()
			for replies.Scan() {
				if strings.HasPrefix(replies.Text(), reply) {
					return
				}
			}
			t.Fatalf("no %q: %v", reply, replies.Err())
		}
		expect("220 ")
		for _, step := range []struct{ say, expect string }{
			{"LHLO c.example", "250 "},
			{"MAIL FROM:<a@src.example>", "250 2.1.0"},
			{"RCPT TO:<u1@dst.example>", "250 2.1.5"},
			{"DATA", "354 "},
			{"Subject: x\r\n\r\nx\r\n.", "250 2.0.0"},
			{"QUIT", "221 "},
		} {
			_, err := fmt.Fprint(client, step.say, "\r\n")
			must(t, err)
			expect(step.expect)
		}
		close(answered)
		f.shutdown(t)
	})
}
