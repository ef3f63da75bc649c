package main

import (
	"bufio"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// Programs that stand in front of Doorstep and say whom they speak for.

// frontConfig is plainConfig with a TCP listener of the given keys, on an address of its own.
func frontConfig(tb testing.TB, keys string) (configuration, addr string) {
	tb.Helper()
	addr = net.JoinHostPort("127.0.0.1", peer.FreePort(tb))
	return plainConfig("[[listen]]\naddress = \"tcp:" + addr + "\"\n" + keys + "\n"), addr
}

// dialFrom connects from a certain address of the loopback.
func dialFrom(tb testing.TB, from, to string) *dialogue {
	tb.Helper()
	dialer := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := dialer.Dial("tcp", to)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		tb.Fatal(err)
	}
	return &dialogue{tb, conn, bufio.NewReader(conn)}
}

// wantNothing wants the connection closed without a word; it may be reset, as there is
// something that was not read.
func (d *dialogue) wantNothing() {
	d.tb.Helper()
	if said, _ := io.ReadAll(d.replies); len(said) > 0 {
		d.tb.Errorf("want nothing and the end, got %q", said)
	}
}

// received is the Received field of the only message of an account, unfolded.
func received(tb testing.TB, dir, local string) string {
	tb.Helper()
	all := stored(tb, dir, local)
	if len(all) != 1 {
		tb.Fatalf("%s has %d messages, want 1", local, len(all))
	}
	for _, text := range all {
		return regexp.MustCompile(`(?m)^Received: .*(\n\t.*)*`).FindString(text)
	}
	return ""
}

// TestHAProxyInFront: the client's address comes through, in each form of the header, and the
// proxy's own checks make no noise (PROXY-01 to PROXY-03).
func TestHAProxyInFront(t *testing.T) {
	peer.Need(t, "haproxy")
	for name, send := range map[string]string{
		"version 1":                        "send-proxy",
		"version 2":                        "send-proxy-v2",
		"version 2 with checksum and more": "send-proxy-v2 proxy-v2-options crc32c,unique-id check inter 200ms",
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			configuration, addr := frontConfig(t, "proxy_protocol = true\ntrusted = [\"127.0.0.1\"]")
			s := serveConfig(t, dir, configuration)
			h := peer.StartHAProxy(t, peer.HAProxyConfig{Server: addr, Send: send})

			d := dialFrom(t, "127.0.0.7", h.Addr)
			d.want("220 ")
			d.say("LHLO client.example", "250-")
			d.say("XFORWARD ADDR=192.0.2.1", "550 5.7.0")
			d.deliver(name, "alice")
			if got := received(t, dir, "alice"); !strings.Contains(got, "from client.example ([127.0.0.7])") {
				t.Errorf("field %q", got)
			}

			// Straight to the listener there is no mail without a header.
			direct := dialFrom(t, "127.0.0.1", addr)
			direct.send("LHLO client.example\r\n")
			direct.wantNothing()
			stranger := dialFrom(t, "127.0.0.8", addr)
			stranger.send("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")
			stranger.wantNothing()
			s.awaitLog(t, "not trusted to send a PROXY header")
		})
	}
}

// TestPostfixForwards: what Postfix knows of its client is in the log and in Received (XC-03,
// XC-04).
func TestPostfixForwards(t *testing.T) {
	peer.Need(t, "postfix")
	dir := place(t)
	configuration, addr := frontConfig(t, "trusted = [\"127.0.0.1\"]")
	s := serveConfig(t, dir, configuration)
	p := peer.StartPostfix(t, peer.PostfixConfig{
		Deliver: "lmtp:inet:" + addr,
		Domains: []string{"example.org"},
		Params:  []string{"lmtp_send_xforward_command = yes"},
	})
	d := dialFrom(t, "127.0.0.9", p.Addr)
	d.want("220 ")
	d.say("HELO client.example", "250 ")
	d.say("MAIL FROM:<bob@example.org>", "250 ")
	d.say("RCPT TO:<alice@example.org>", "250 ")
	d.say("DATA", "354 ")
	d.send(message("forwarded") + ".\r\n")
	d.want("250 ")
	p.AwaitIdle(time.Minute)
	if c := p.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
	s.awaitLog(t, "client=127.0.0.9 client_hello=client.example client_id=")
	if got := received(t, dir, "alice"); !strings.Contains(got, "([127.0.0.1])\n\t(client [127.0.0.9])\n\tby ") {
		t.Errorf("field %q", got)
	}
}
