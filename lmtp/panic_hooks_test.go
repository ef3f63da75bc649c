package lmtp

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

// A panic in whatever a Server calls beside its Handler costs that connection, which is closed, and is in
// the log; the next one is served.
func TestPanicInHooks(t *testing.T) {
	tests := map[string]func(*Server, func()){
		"Trusted": func(s *Server, boom func()) { s.Peers.Trusted = func(net.Conn) bool { boom(); return false } },
		"Begin":   func(s *Server, boom func()) { s.Hooks.Begin = func(*Session) { boom() } },
		"End":     func(s *Server, boom func()) { s.Hooks.End = func(*Session) { boom() } },
		"Command": func(s *Server, boom func()) { s.Hooks.Command = func(*Session, string, string) { boom() } },
		"Reply":   func(s *Server, boom func()) { s.Hooks.Reply = func(*Session, string, Reply) { boom() } },
		"Content": func(s *Server, boom func()) { s.Hooks.Content = func(*Session, int64) { boom() } },
	}
	for name, install := range tests {
		t.Run(name, func(t *testing.T) {
			var broken atomic.Bool
			broken.Store(true)
			var panics atomic.Int32
			log := slog.New(guard.NewHandler(slog.DiscardHandler, func(slog.Record) { panics.Add(1) }))
			h := &fakeHandler{}
			s := &Server{Handler: h, Log: guardtest.Expect(log)}
			install(s, func() {
				if broken.Load() {
					panic("boom")
				}
			})
			l := newPipeListener()
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()

			client := l.dial()
			go io.WriteString(client, "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<u1@dst.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
			said, err := io.ReadAll(client) // until it is closed
			if err != nil {
				t.Fatal(err)
			}
			broken.Store(false)
			again := l.dial()
			go io.WriteString(again, "LHLO c\r\nQUIT\r\n")
			if next, err := io.ReadAll(again); err != nil || !strings.Contains(string(next), "221 2.0.0") {
				t.Errorf("the next client is told %q, %v; the first was told %q", next, err, said)
			}
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if err := <-served; err != ErrServerClosed {
				t.Error(err)
			}
			if panics.Load() == 0 {
				t.Errorf("no panic is in the log; the client was told %q", said)
			}
			h.check(t)
		})
	}
}
