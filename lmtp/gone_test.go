package lmtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
)

// A stuckHandler delivers when it is allowed to, and says when it was given up.
type stuckHandler struct {
	deliver chan error
	given   chan error
}

func (h *stuckHandler) Mail(context.Context, *Session, *Envelope) (Transaction, error) { return h, nil }
func (h *stuckHandler) Rcpt(context.Context, *Recipient) error                         { return nil }
func (h *stuckHandler) Write(p []byte) (int, error)                                    { return len(p), nil }
func (h *stuckHandler) Abort(error)                                                    {}
func (h *stuckHandler) Commit(ctx context.Context) <-chan error {
	context.AfterFunc(ctx, func() { h.given <- context.Cause(ctx) })
	return h.deliver
}

// A client that goes while its message is being delivered frees its place at once, and what has not begun is given up.
// One that only says no more is answered.
func TestClientGoes(t *testing.T) {
	a := newAuthority(t)
	for _, network := range []string{"unix", "tcp", "tls"} {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, client waits %t", network, waits), func(t *testing.T) {
				h := &stuckHandler{deliver: make(chan error, 1), given: make(chan error, 1)}
				ended := make(chan struct{})
				s := &Server{Handler: h, Log: guardtest.Log(t), Hooks: Hooks{End: func(*Session) { close(ended) }}}
				transport, address := "tcp", "127.0.0.1:0"
				switch network {
				case "unix":
					transport, address = "unix", filepath.Join(t.TempDir(), "socket")
				case "tls":
					s.TLS = a.server().TLS
					s.TLS.Implicit = true
				}
				l, err := net.Listen(transport, address)
				if err != nil {
					t.Fatal(err)
				}
				go s.Serve(l)
				defer s.Shutdown(t.Context())
				socket, err := net.Dial(transport, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				client := socket
				if network == "tls" {
					client = tls.Client(socket, a.client())
				}
				client.SetDeadline(time.Now().Add(time.Minute))
				fmt.Fprint(client, "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\nx\r\n.\r\n")
				in := bufio.NewScanner(client)
				for in.Scan() && !strings.HasPrefix(in.Text(), "354") {
				}
				if waits {
					if err := client.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
						t.Fatal(err)
					}
					select {
					case <-time.After(3 * lookAfter):
					case <-ended:
						t.Error("the session ended before the client was answered")
					}
					h.deliver <- nil
					if !in.Scan() || !strings.HasPrefix(in.Text(), "250 2.0.0") {
						t.Errorf("answered with %q, %v", in.Text(), in.Err())
					}
					return
				}
				if tcp, ok := socket.(*net.TCPConn); ok {
					tcp.SetLinger(0) // a reset
				}
				socket.Close()
				select {
				case <-ended:
				case <-time.After(20 * time.Second):
					h.deliver <- nil
					t.Fatal("the session goes on")
				}
				if err := <-h.given; err != ErrClientGone {
					t.Errorf("the delivery was given up with %v", err)
				}
			})
		}
	}
}
