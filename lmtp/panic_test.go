package lmtp

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

// A panic in a Handler costs what it was asked about, never the session and never the
// server; its stack is in the log, and nothing of it goes to the client.
func TestPanicInHandler(t *testing.T) {
	boom := func() { panic("index out of range [7] with length 7") }
	tests := []struct {
		name    string
		h       *fakeHandler
		say     []string
		want    []string
		aborted bool // the transaction was ended by Abort
	}{
		{
			"Mail", &fakeHandler{onMail: func() error { boom(); return nil }},
			[]string{"MAIL FROM:<>", "RSET"},
			[]string{"451 4.3.0", "250 2.0.0"}, false,
		},
		{
			"Rcpt", &fakeHandler{onRcpt: func(string) error { boom(); return nil }},
			[]string{"MAIL FROM:<>", "RCPT TO:<u1@dst.example>", "DATA", "RSET"},
			[]string{"250 2.1.0", "451 4.3.0", "503 5.5.1", "250 2.0.0"}, true,
		},
		{
			"Write", &fakeHandler{onWrite: func([]byte) (int, error) { boom(); return 0, nil }},
			[]string{"MAIL FROM:<>", "RCPT TO:<u1@dst.example>", "RCPT TO:<u2@dst.example>", "DATA", "x", ".", "RSET"},
			[]string{"250 2.1.0", "250 2.1.5", "250 2.1.5", "354", "451 4.3.0", "451 4.3.0", "250 2.0.0"}, true,
		},
		{
			"Commit", &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error { boom(); return nil }},
			[]string{"MAIL FROM:<>", "RCPT TO:<u1@dst.example>", "RCPT TO:<u2@dst.example>", "DATA", "x", ".", "RSET"},
			[]string{"250 2.1.0", "250 2.1.5", "250 2.1.5", "354", "451 4.3.0", "451 4.3.0", "250 2.0.0"}, false,
		},
		{
			"Abort", &fakeHandler{onAbort: boom},
			[]string{"MAIL FROM:<>", "RCPT TO:<u1@dst.example>", "RSET"},
			[]string{"250 2.1.0", "250 2.1.5", "250 2.0.0"}, true,
		},
		{
			"Abort at the end of the session", &fakeHandler{onAbort: boom},
			[]string{"MAIL FROM:<>"},
			[]string{"250 2.1.0"}, true,
		},
		{
			"Write and Abort", &fakeHandler{onWrite: func([]byte) (int, error) { boom(); return 0, nil }, onAbort: boom},
			[]string{"MAIL FROM:<>", "RCPT TO:<u1@dst.example>", "DATA", ".x", ".", "RSET"},
			[]string{"250 2.1.0", "250 2.1.5", "354", "451 4.3.0", "250 2.0.0"}, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log syncBuffer
			d := opened(t, &Server{Handler: tt.h, Log: guardtest.Expect(slog.New(slog.NewTextHandler(&log, nil)))})
			d.say(tt.say...)
			for _, want := range tt.want {
				if r := d.expect(want); strings.Contains(r.String(), "index") {
					t.Errorf("client was told of a panic: %s", r)
				}
			}
			d.quit()
			tt.h.check(t)
			if n := len(tt.h.txs); n > 0 && (len(tt.h.txs[0].aborts) == 1) != tt.aborted {
				t.Errorf("aborted with %v, want it %t", tt.h.txs[0].aborts, tt.aborted)
			}
			if !strings.Contains(log.String(), "index out of range") || !strings.Contains(log.String(), "panic_test.go") {
				t.Errorf("no panic with its stack in the log:\n%s", log.String())
			}
		})
	}
}

// A Handler that begins no transaction, and says nothing of it, has refused the message.
func TestNilTransaction(t *testing.T) {
	d := opened(t, &Server{Handler: noTransaction{}})
	d.say("MAIL FROM:<>", "RCPT TO:<u@dst.example>", "MAIL FROM:<>")
	d.expect("451 4.3.0", "503 5.5.1", "451 4.3.0")
	d.quit()
}

type noTransaction struct{}

func (noTransaction) Mail(context.Context, *Session, *Envelope) (Transaction, error) { return nil, nil }

// A Commit that gives no channel has given no outcome.
func TestNilOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &fakeHandler{onCommit: func(context.Context, *fakeTx) <-chan error { return nil }}
		d := inData(t, &Server{Handler: h}, "u1", "u2")
		d.say("x", ".")
		d.expect("451 4.3.0", "451 4.3.0")
		d.quit()
		h.check(t)
	})
}

// A panic in Admit, or in what it gave to be called at the end, ends one connection.
func TestPanicInAdmit(t *testing.T) {
	quiet := guardtest.Expect(slog.New(slog.DiscardHandler))
	t.Run("Admit", func(t *testing.T) {
		admit := func(net.Conn) (func(), error) { panic("no such user") }
		s := &Server{Log: quiet, Handler: nullHandler{}, Peers: Peers{Admit: admit}}
		d := talk(t, s)
		d.expect("421 4.3.0")
		d.expectClosed()
		expectIdle(t, s)
	})
	t.Run("release", func(t *testing.T) {
		s := &Server{Log: quiet, Handler: nullHandler{},
			Peers: Peers{Admit: func(net.Conn) (func(), error) { return func() { panic("twice") }, nil }}}
		d := opened(t, s)
		d.quit()
		expectIdle(t, s)
	})
}

// expectIdle expects that no connection is counted any more.
func expectIdle(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}
