package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestPostfixAliasesAndDSN is what docs/dsn.md says of Postfix: where DSN is offered a message says for whom it was
// meant before Postfix' aliases; of an alias Postfix reports itself, "expanded"; and it can leave DSN aside.
func TestPostfixAliasesAndDSN(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	s := planSite(t)
	mta := dsnPostfix(t, "lmtp:"+s.unix)
	s.start(t, dsnAccounts()+s.submission(mta.submission))
	submit(t, mta.addr, "Subject: hello\n\nHello.\n", "list@dst.example")
	mta.AwaitIdle(time.Minute)
	list := s.messages(t, s.account(t, goodA))
	if len(list) != 1 || !strings.Contains(list[0], "\nOriginal-Recipient: rfc822; list@dst.example\n") {
		t.Errorf("stored %q", list)
	}

	reported := func(sender, to, want string) {
		from := dsnSender(sender)
		ask(t, mta.addr, client.Message{From: from.address, EnvelopeID: "case-" + sender,
			To: []client.Recipient{{Address: to, Notify: "SUCCESS"}}})
		s.awaitReported(t, mta)
		if list := s.reports(t, from); len(list) != 1 || list[0].String() != want {
			t.Errorf("reports to %s: %v, want %q", sender, list, want)
		}
	}
	reported("alias", "list@dst.example", "the MTA: expanded")
	reported("success", goodB, "Doorstep: delivered")
	mta.postfix.Configure("lmtp_discard_lhlo_keywords = dsn")
	reported("silent", goodB, "the MTA: delivered")
	if c := mta.postfix.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
}

// TestPostfixOffersStrangersNoDSN is the recipe for who does not want it.
func TestPostfixOffersStrangersNoDSN(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "discard:", Domains: []string{"dst.example"}})
	offers := func() bool {
		c, err := client.Dial(t.Context(), p.Addr, client.Options{Protocol: client.ESMTP, Hello: "client.example"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.Extensions().Has("DSN")
	}
	commands := strings.ReplaceAll(recipe(t, "docs/dsn.md", "dsn postfix strangers"), "/etc/postfix", p.Queue())
	p.Run(commands)
	if !offers() {
		t.Error("DSN is not offered to the own network")
	}
	p.Run(strings.ReplaceAll(commands, "127.0.0.0/8", "192.0.2.0/24"))
	peer.Await(t, time.Minute, "DSN not to be offered", func() bool { return !offers() })
}
