package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// A dialogue is a connection on which a test says line by line what it wants to.
type dialogue struct {
	tb      testing.TB
	conn    net.Conn
	replies *bufio.Reader
}

// dial connects to a server's Unix socket and reads the greeting, without a hello.
func dial(tb testing.TB, dir string) *dialogue {
	tb.Helper()
	return dialTarget(tb, "unix", filepath.Join(dir, "lmtp"))
}

func dialTarget(tb testing.TB, network, address string) *dialogue {
	tb.Helper()
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return &dialogue{tb, conn, bufio.NewReader(conn)}
}

// session is dial with a hello.
func session(tb testing.TB, dir string) *dialogue {
	tb.Helper()
	d := dial(tb, dir)
	d.want("220 ")
	d.say("LHLO client.example", "250-")
	return d
}

// send writes octets.
func (d *dialogue) send(octets string) {
	d.tb.Helper()
	if _, err := io.WriteString(d.conn, octets); err != nil {
		d.tb.Fatal(err)
	}
}

// say sends a line and wants replies that begin so.
func (d *dialogue) say(line string, replies ...string) {
	d.tb.Helper()
	d.send(line + "\r\n")
	for _, want := range replies {
		d.want(want)
	}
}

// want reads a reply, which must be well-formed and begin so.
func (d *dialogue) want(prefix string) {
	d.tb.Helper()
	r, err := lmtptest.ReadReply(d.replies)
	if err != nil {
		d.tb.Fatalf("want %q: %v", prefix, err)
	}
	if !strings.HasPrefix(r.String(), prefix) {
		d.tb.Fatalf("reply %q, want %q", r, prefix)
	}
}

// wantEnd wants the server to close the connection, without another word.
func (d *dialogue) wantEnd() {
	d.tb.Helper()
	if rest, err := io.ReadAll(d.replies); err != nil || len(rest) > 0 {
		d.tb.Fatalf("want the connection closed: %q, %v", rest, err)
	}
}

// begin opens a transaction up to its content.
func (d *dialogue) begin(locals ...string) {
	d.tb.Helper()
	d.say("MAIL FROM:<s@example.com>", "250 ")
	for _, local := range locals {
		d.say("RCPT TO:<"+local+"@example.org>", "250 ")
	}
	d.say("DATA", "354 ")
}

// deliver sends a whole message and wants it delivered to everyone.
func (d *dialogue) deliver(subject string, locals ...string) {
	d.tb.Helper()
	d.begin(locals...)
	d.send(message(subject) + ".\r\n")
	for range locals {
		d.want("250 2.0.0 ")
	}
}

// sendTo delivers a message to alice with the client, over any target and protocol.
func sendTo(tb testing.TB, target string, protocol client.Protocol, subject string) *client.Result {
	tb.Helper()
	c, err := client.Dial(tb.Context(), target, client.Options{Protocol: protocol, Timeout: patience})
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	r, err := c.Send(tb.Context(), client.Message{
		From: "s@example.com", To: client.To("alice@example.org"), Content: strings.NewReader(message(subject)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := c.Quit(context.WithoutCancel(tb.Context())); err != nil {
		tb.Error(err)
	}
	return r
}

// wantStored wants exactly the messages with these subjects in an account, whole.
func wantStored(tb testing.TB, dir, local string, subjects ...string) {
	tb.Helper()
	got := stored(tb, dir, local)
	for _, subject := range subjects {
		found := ""
		for name, text := range got {
			if strings.Contains(text, "\nSubject: "+subject+"\n") {
				found = name
			}
		}
		if found == "" {
			tb.Errorf("%s: %q is not there", local, subject)
		}
		delete(got, found)
	}
	for name, text := range got {
		tb.Errorf("%s: %s should not be there:\n%.400s", local, name, text)
	}
}
