package lmtp

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/guard/guardtest"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// A dialogue is the client's side of a session, over a pipe. It sends in a goroutine of its
// own, because a pipe has no buffer: the server may want to answer in the middle.
type dialogue struct {
	t       testing.TB
	nc      net.Conn
	replies *bufio.Reader
	queue   chan string
	served  chan struct{} // closed when the server is done with the connection
}

// talk opens a session with s.
func talk(t testing.TB, s *Server) *dialogue {
	client, server := net.Pipe()
	return talkOver(t, s, client, server)
}

// talkOver is talk over a connection that has these two ends.
func talkOver(t testing.TB, s *Server, client, server net.Conn) *dialogue {
	if log := guardtest.Watch(t, s.Log); log != s.Log { // else other sessions of s may be running
		s.Log = log
	}
	d := &dialogue{
		t:       t,
		nc:      client,
		replies: bufio.NewReader(client),
		queue:   make(chan string, 100),
		served:  make(chan struct{}),
	}
	go func() {
		defer close(d.served)
		s.ServeConn(server)
	}()
	go sendAll(client, d.queue)
	t.Cleanup(func() {
		close(d.queue)
		d.hangUp()
	})
	return d
}

// sendAll sends what is queued.
func sendAll(nc net.Conn, queue <-chan string) {
	for octets := range queue {
		io.WriteString(nc, octets) // the server may have hung up; its replies tell
	}
}

// opened is a session after its greeting and hello.
func opened(t testing.TB, s *Server) *dialogue {
	t.Helper()
	d := talk(t, s)
	d.expect("220")
	hello := "LHLO"
	if s.Protocol == ESMTP {
		hello = "EHLO"
	}
	d.say(hello + " c.example")
	d.expect("250")
	return d
}

// inData is a session that has been asked for content for rcpts.
func inData(t testing.TB, s *Server, rcpts ...string) *dialogue {
	t.Helper()
	d := opened(t, s)
	d.say("MAIL FROM:<a@src.example>")
	d.expect("250 2.1.0")
	for _, r := range rcpts {
		d.say("RCPT TO:<" + r + "@dst.example>")
		d.expect("250 2.1.5")
	}
	d.say("DATA")
	d.expect("354")
	return d
}

// say sends lines.
func (d *dialogue) say(lines ...string) {
	d.send(strings.Join(lines, "\r\n") + "\r\n")
}

// send sends octets. A pipe would hand on even a write of none, which no socket does.
func (d *dialogue) send(octets string) {
	if octets != "" {
		d.queue <- octets
	}
}

// expect reads a reply for each of want, such as "250 2.1.5" or "354", and returns the last.
func (d *dialogue) expect(want ...string) lmtptest.Reply {
	d.t.Helper()
	var last lmtptest.Reply
	for i, w := range want {
		last = d.read()
		if got := codes(last); got != w {
			d.t.Fatalf("reply %d is %q, want %s", i+1, last, w)
		}
	}
	return last
}

// read reads a reply, whatever it is, and checks its form.
func (d *dialogue) read() lmtptest.Reply {
	d.t.Helper()
	r, err := lmtptest.ReadReply(d.replies)
	if err != nil {
		d.t.Fatalf("reading a reply: %v", err)
	}
	return r
}

func codes(r lmtptest.Reply) string {
	return strings.TrimSpace(r.Lines[0][:3] + " " + r.Enhanced)
}

// expectClosed expects nothing more, and the end of the connection.
func (d *dialogue) expectClosed() {
	d.t.Helper()
	rest, err := io.ReadAll(d.replies)
	if err != nil && !errors.Is(err, io.ErrClosedPipe) || len(rest) > 0 {
		d.t.Fatalf("want the connection closed, got %q and %v", rest, err)
	}
	<-d.served
}

// quit ends the session in good order.
func (d *dialogue) quit() {
	d.t.Helper()
	d.say("QUIT")
	d.expect("221 2.0.0")
	d.expectClosed()
}

// hangUp closes the connection, and waits until the server has noticed.
func (d *dialogue) hangUp() {
	d.nc.Close()
	<-d.served
}
