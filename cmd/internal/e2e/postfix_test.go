package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer/corpus"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// An envelope is what a message is sent with, and where it must end up.
type envelope struct {
	from    string
	to      []string
	boxes   []string // the accounts that get it, once each
	unknown []string // recipients that do not exist
}

// envelopes are taken in turn by the messages of the corpus.
var envelopes = []envelope{
	{from: "sender@src.example", to: []string{"alice@dst.example"}, boxes: []string{"alice@dst.example"}},
	{to: []string{"bob@dst.example", "用户@例え.example"}, boxes: []string{"bob@dst.example", "用户@例え.example"}},
	{from: "sender@src.example", to: []string{"用户@xn--r8jz45g.example"}, boxes: []string{"用户@例え.example"}},
	{from: "отправитель@src.example", to: []string{"josé@dst.example", "bob@dst.example"},
		boxes: []string{"josé@dst.example", "bob@dst.example"}},
	{from: "sender@src.example", to: []string{"nobody@dst.example", "alice@dst.example"},
		boxes: []string{"alice@dst.example"}, unknown: []string{"nobody@dst.example"}},
	// One mailbox by three names gets one copy.
	{from: "sender@src.example", to: []string{"alice+lists@dst.example", "sales@dst.example", "ALICE@dst.example"},
		boxes: []string{"alice@dst.example"}},
	{from: "отправитель@src.example", to: []string{"未知@例え.example", "bob@dst.example", "jose@dst.example"},
		boxes: []string{"bob@dst.example"}, unknown: []string{"未知@例え.example", "jose@dst.example"}},
	// More recipients than Postfix puts into one transaction.
	{from: "sender@src.example", to: crew, boxes: crew},
	{from: "sender@src.example", to: []string{`"john doe"@dst.example`}, boxes: []string{`"john doe"@dst.example`}},
}

// sent is one message of the corpus with its envelope.
type sent struct {
	corpus.Message
	envelope
}

// TestPostfixDeliversTheCorpus is what Doorstep is for: a real MTA hands over the mail of the
// world, every good recipient finds it unchanged, every other is bounced, and a real IMAP server
// reads it all.
func TestPostfixDeliversTheCorpus(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix", "dovecot")
	s := openSite(t)
	p := peer.StartPostfix(t, peer.PostfixConfig{
		Deliver: "lmtp:" + s.unix,
		Domains: []string{"dst.example", "src.example", "例え.example", "xn--r8jz45g.example"},
	})
	mail := injectCorpus(t, p.Addr)
	p.AwaitIdle(3 * time.Minute)

	if c := p.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
	bounced := checkBounces(t, p.Deliveries(), mail)
	want := map[string][]string{}
	for _, m := range mail {
		for _, box := range m.boxes {
			want[box] = append(want[box], m.Stored())
		}
	}
	for _, a := range siteAccounts {
		if a.address == "sender@src.example" {
			s.checkReports(t, a, bounced)
			continue
		}
		// Above the content are our fields and the Received of Postfix.
		s.checkStored(t, a, want[a.address], "Return-Path", "Delivered-To", "Received", "Received")
	}
	s.checkByIMAP(t)
}

// TestPostfixMix: good, unknown and full are three different things.
func TestPostfixMix(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	s := openSite(t)
	s.fillBox(t, s.account(t, fullD))
	p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "lmtp:inet:" + s.tcp,
		Domains: []string{"dst.example", "src.example"}})
	m := corpus.Messages()[0]
	submit(t, p.Addr, m.Content, goodA, unknownC, fullD, goodB)
	peer.Await(t, time.Minute, "an attempt for each and a report",
		func() bool { return attempted(p.Deliveries(), goodA, unknownC, fullD, goodB, mixFrom) })

	for _, to := range []string{goodA, goodB} {
		s.checkStored(t, s.account(t, to), []string{m.Stored()}, "Return-Path", "Delivered-To", "Received", "Received")
	}
	for _, d := range p.Deliveries() {
		want := [2]string{"sent", "2.0.0"}
		switch d.To {
		case unknownC:
			want = [2]string{"bounced", "5.1.1"}
		case fullD:
			want = [2]string{"deferred", "4.2.2"}
		}
		if d.Status != want[0] || d.DSN != want[1] {
			t.Errorf("%+v, want %v", d, want)
		}
	}
}

// injectCorpus sends the whole corpus over one connection.
func injectCorpus(t *testing.T, addr string) []sent {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Protocol: client.ESMTP, Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	var mail []sent
	for i, m := range corpus.Messages() {
		e := envelopes[i%len(envelopes)]
		if len(m.Content) > 1<<20 {
			e = envelopes[1] // not to a crowd
		}
		mail = append(mail, sent{m, e})
		traits, err := client.Inspect(strings.NewReader(m.Content))
		if err != nil {
			t.Fatal(err)
		}
		message := client.Message{
			From: e.from, To: client.To(e.to...), Content: strings.NewReader(m.Content), Size: traits.Size, Body: traits.Body(),
		}
		if traits.UTF8Header {
			message.UTF8 = client.UTF8Always
		}
		r, err := c.Send(t.Context(), message)
		if err != nil {
			t.Fatalf("%s: %v", m.Name, err)
		}
		for _, o := range r.Recipients {
			if !o.Delivered() {
				t.Errorf("%s: Postfix refused %s: %s", m.Name, o.To, o.Final)
			}
		}
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
	return mail
}

// checkBounces wants every unknown recipient bounced with our 550 5.1.1, and everything else
// delivered at the first attempt. It returns the number of bounce messages to the sender.
func checkBounces(t *testing.T, deliveries []peer.Delivery, mail []sent) (bounced int) {
	t.Helper()
	want := map[string]int{}
	for _, m := range mail {
		for _, to := range m.unknown {
			want[to]++
		}
		if len(m.unknown) > 0 && m.from != "" {
			bounced++
		}
	}
	for _, d := range deliveries {
		if d.Status == "sent" && !slices.ContainsFunc(mail, func(m sent) bool { return slices.Contains(m.unknown, d.To) }) {
			continue
		}
		if want[d.To]--; d.Status != "bounced" || d.DSN != "5.1.1" || !strings.Contains(d.Text, "said: 550 5.1.1 ") {
			t.Errorf("%+v", d)
		}
	}
	for to, missing := range want {
		if missing != 0 {
			t.Errorf("%s: %d bounces are missing", to, missing)
		}
	}
	if bounced == 0 {
		t.Error("nothing was to be bounced")
	}
	return bounced
}
