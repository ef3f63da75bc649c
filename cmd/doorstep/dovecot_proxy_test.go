package main

import (
	"net"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestDovecotProxyInFront: Dovecot's LMTP proxy hands each recipient's answer on, and says by
// XCLIENT whom it speaks for (XC-02, XC-04).
func TestDovecotProxyInFront(t *testing.T) {
	peer.Need(t, "dovecot", "dovecot-lmtp")
	dir := place(t)
	configuration, addr := frontConfig(t, "trusted = [\"127.0.0.1\"]")
	s := serveConfig(t, dir, configuration)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	front := peer.FreePort(t)
	peer.StartDovecot(t, peer.DovecotConfig{
		UID: peer.MailUser, GID: peer.MailUser, LMTP: true,
		Settings: []string{
			"lmtp_proxy = yes",
			"passdb {\n driver = static\n args = proxy=y host=127.0.0.1 port=" + port + " nopassword=y\n}",
			"service lmtp {\n inet_listener lmtp {\n  port = " + front + "\n }\n}",
		},
	})
	d := dialFrom(t, "127.0.0.6", net.JoinHostPort("127.0.0.1", front))
	d.want("220 ")
	d.say("LHLO client.example", "250-")
	d.say("MAIL FROM:<s@example.com>", "250 ")
	d.say("RCPT TO:<alice@example.org>", "250 ")
	d.say("RCPT TO:<unknown@example.org>", "550 ")
	d.say("RCPT TO:<bob@example.org>", "250 ")
	d.say("DATA", "354 ")
	d.send(message("through a proxy") + ".\r\n")
	d.want("250 ")
	d.want("250 ")
	s.awaitLog(t, "client=127.0.0.6")
	for _, local := range []string{"alice", "bob"} {
		if got := received(t, dir, local); !strings.Contains(got, "([127.0.0.6])") {
			t.Errorf("%s: field %q", local, got)
		}
	}
}
