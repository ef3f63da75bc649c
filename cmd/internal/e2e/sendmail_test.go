package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer/corpus"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// startSendmail starts a Sendmail with the recipe of docs/recipes.md.
func (s *site) startSendmail(t *testing.T) *peer.Sendmail {
	t.Helper()
	names := strings.NewReplacer("mail.example.org", "src.example", "example.org", "dst.example",
		"/run/doorstep/lmtp.sock", strings.TrimPrefix(s.unix, "unix:"))
	return peer.StartSendmail(t, peer.SendmailConfig{
		MC: names.Replace(recipe(t, "docs/recipes.md", "sendmail.mc")),
		Tables: map[string]string{
			"mailertable":      names.Replace(recipe(t, "docs/recipes.md", "mailertable")),
			"relay-domains":    "dst.example\n",
			"local-host-names": "src.example\n",
		},
	})
}

// TestSendmailMix: good, unknown and full are three different things, and what is full is tried
// again. The report comes back through the hub.
func TestSendmailMix(t *testing.T) {
	t.Parallel()
	peer.Need(t, "sendmail")
	s := openSite(t)
	s.fillBox(t, s.account(t, fullD))
	m := s.startSendmail(t)
	content := corpus.Messages()[0]
	submit(t, m.Addr, content.Content, goodA, unknownC, fullD, goodB)
	peer.Await(t, time.Minute, "a second attempt, and a report", func() bool {
		return count(m.Deliveries(), fullD) > 1 && count(m.Deliveries(), mixFrom) > 0
	})
	s.checkMix(t, m.Deliveries())

	s.emptyBox(t, s.account(t, fullD))
	m.AwaitIdle(time.Minute)
	for _, to := range []string{goodA, goodB, fullD} {
		s.checkStored(t, s.account(t, to), []string{content.Stored()}, "Return-Path", "Delivered-To", "Received", "Received")
	}
}

// TestSendmailKeepsContent: the bodies that Sendmail takes come out as they went in, for a detail and
// for a crowd. Header fields it writes anew.
func TestSendmailKeepsContent(t *testing.T) {
	t.Parallel()
	peer.Need(t, "sendmail")
	s := openSite(t)
	m := s.startSendmail(t)
	var want []string
	for _, message := range keptBySendmail() {
		submit(t, m.Addr, message.Content, "alice+lists@dst.example")
		want = append(want, body(message.Stored()))
	}
	plain := corpus.Messages()[0]
	submit(t, m.Addr, plain.Content, crew...)
	m.AwaitIdle(time.Minute)
	var got []string
	for _, message := range s.messages(t, s.account(t, goodA)) {
		got = append(got, body(message))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bodies (-sent +stored)\n%.5000s", diff)
	}
	for _, to := range crew {
		s.checkStored(t, s.account(t, to), []string{plain.Stored()}, "Return-Path", "Delivered-To", "Received", "Received")
	}
	for _, d := range m.Deliveries() {
		if d.Status != "sent" {
			t.Errorf("%+v", d)
		}
	}
}

// body is what is below the header.
func body(message string) string {
	_, body, _ := strings.Cut(message, "\n\n")
	return body
}

// TestSendmailKnowsNoSMTPUTF8: what the recipe says of internationalized mail.
func TestSendmailKnowsNoSMTPUTF8(t *testing.T) {
	t.Parallel()
	peer.Need(t, "sendmail")
	m := openSite(t).startSendmail(t)
	c, err := client.Dial(t.Context(), m.Addr, client.Options{Protocol: client.ESMTP, Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Extensions().Has("SMTPUTF8") || !c.Extensions().Has("8BITMIME") {
		t.Error("Sendmail offers SMTPUTF8: docs/recipes.md says that it does not")
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}

// keptBySendmail are the messages of the corpus that Sendmail takes: it refuses NUL, a bare CR, headers of
// more than 32 KiB, and more than 25 trace fields. Multiparts that do not end it ends.
func keptBySendmail() []corpus.Message {
	return slices.DeleteFunc(corpus.Messages(), func(m corpus.Message) bool {
		head, _, _ := strings.Cut(m.Content, "\r\n\r\n")
		return strings.ContainsAny(strings.ReplaceAll(m.Content, "\r\n", "\n"), "\r\x00") || len(head) > 32<<10 ||
			strings.Count(head, "Received: ") > 20 || m.Name == "deep" || m.Name == "part without an end"
	})
}

// count counts the attempts to deliver to a recipient.
func count(list []peer.Delivery, to string) (n int) {
	for _, d := range list {
		if d.To == to {
			n++
		}
	}
	return n
}

// attempted reports whether there was an attempt for each of these recipients. The number of all attempts says nothing,
// as some are tried again meanwhile.
func attempted(list []peer.Delivery, to ...string) bool {
	return !slices.ContainsFunc(to, func(to string) bool { return count(list, to) == 0 })
}
