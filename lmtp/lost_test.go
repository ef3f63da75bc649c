package lmtp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// A lostConnection is a recording whose client does not go, but is lost.
type lostConnection struct {
	recording
	err error
}

func (l *lostConnection) Read(p []byte) (int, error) {
	n, err := l.recording.Read(p)
	if errors.Is(err, io.EOF) {
		err = l.err
	}
	return n, err
}

// TestConnectionLost loses the connection at every octet of every command, and of what may follow it, in
// every state, in every way a connection is lost. The session ends without a panic, and a transaction
// ends with it.
func TestConnectionLost(t *testing.T) {
	losses := []error{io.EOF, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded, syscall.ECONNRESET}
	for _, p := range []Protocol{LMTP, ESMTP} {
		for _, state := range stateNames {
			t.Run(fmt.Sprintf("%s/%s", p, state), func(t *testing.T) {
				before := ""
				for _, step := range way(p, state) {
					before += step[0]
				}
				for _, col := range stateTable {
					send := strings.NewReplacer("HELLO", helloOf(p), "OTHER", helloOf(LMTP+ESMTP-p)).Replace(col.send)
					if col.name == "DATA" {
						send += "x\r\n.y\r\n.\r\n"
					}
					for n := range len(send) + 1 {
						for _, loss := range losses {
							loseAt(t, p, before+send[:n], loss)
						}
					}
				}
			})
		}
	}
}

func loseAt(t *testing.T, p Protocol, said string, loss error) {
	t.Helper()
	h := &fakeHandler{}
	nc := &lostConnection{recording{Blocks: lmtptest.Blocks{Left: lmtptest.Cut([]byte(said), nil)}}, loss}
	s := &Server{
		Handler:  h,
		Protocol: p,
		TLS:      TLS{Config: &tls.Config{Certificates: []tls.Certificate{{}}}},
		Auth:     Auth{Authenticator: anybody{}},
		Peers:    Peers{Trusted: func(net.Conn) bool { return true }},
		Log:      guardtest.Log(t),
	}
	s.ServeConn(nc)
	h.check(t)
	if strings.Contains(nc.said.String(), "421 4.3.0") {
		t.Errorf("lost with %v after %q: server said %q", loss, said, nc.said.String())
	}
}

// TestHealthChecks: a client that is gone before it has begun with a message, as that of a load balancer which resets
// its connections, leaves no line in the log; one that is lost later does.
func TestHealthChecks(t *testing.T) {
	for _, tt := range []struct {
		said  string
		proxy bool
		lines int
	}{
		{"", false, 0}, {"EHLO c\r\n", false, 0}, {"", true, 0}, {"PROXY TC", true, 0},
		{"EHLO c\r\nMAIL FROM:<>\r\n", false, 1},
	} {
		for _, loss := range []error{syscall.ECONNRESET, syscall.EPIPE} {
			nc := &lostConnection{recording{Blocks: lmtptest.Blocks{Left: lmtptest.Cut([]byte(tt.said), nil)}},
				&net.OpError{Op: "read", Err: os.NewSyscallError("read", loss)}}
			var log strings.Builder
			s := &Server{Handler: &fakeHandler{}, Protocol: ESMTP, Log: slog.New(slog.NewTextHandler(&log, nil))}
			s.Peers = Peers{ProxyProtocol: tt.proxy, Trusted: func(net.Conn) bool { return true }}
			s.ServeConn(nc)
			if n := strings.Count(log.String(), "\n"); n != tt.lines {
				t.Errorf("after %q and %v the log has %d lines: %s", tt.said, loss, n, log.String())
			}
		}
	}
}
