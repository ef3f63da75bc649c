package lmtp

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A sessionHandler takes everything and remembers who came.
type sessionHandler struct {
	mu       sync.Mutex
	sessions []*Session
}

func (h *sessionHandler) Mail(_ context.Context, s *Session, _ *Envelope) (Transaction, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions = append(h.sessions, s)
	return &nullTx{}, nil
}

// last is the session of the latest transaction.
func (h *sessionHandler) last() *Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.sessions) == 0 {
		return &Session{}
	}
	return h.sessions[len(h.sessions)-1]
}

// An addressedConn is a connection that comes from elsewhere than it does.
type addressedConn struct {
	net.Conn
	remote net.Addr
}

func (c addressedConn) RemoteAddr() net.Addr { return c.remote }

// talkAs is talk from an address.
func talkAs(t testing.TB, s *Server, remote net.Addr) *dialogue {
	client, server := net.Pipe()
	return talkOver(t, s, client, addressedConn{server, remote})
}

// talkTCP is talk over TCP.
func talkTCP(t testing.TB, s *Server) *dialogue {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return talkOver(t, s, client, server)
}
