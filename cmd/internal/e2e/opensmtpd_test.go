package e2e_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer/corpus"
)

// ttl is how long OpenSMTPD tries: it comes again after minutes only.
const ttl = 4 * time.Second

// TestOpenSMTPDHelper: its mail.lmtp has a session for each recipient, takes every refusal for a
// temporary one, and so the report of an unknown recipient comes when the time is over.
func TestOpenSMTPDHelper(t *testing.T) {
	t.Parallel()
	peer.Need(t, "opensmtpd")
	for network, messages := range map[string][]corpus.Message{"unix": keptByOpenSMTPD(), "inet": nil} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := openSite(t)
			s.fillBox(t, s.account(t, fullD))
			deliver := map[string]string{"unix": s.unix, "inet": "inet:" + s.tcp}[network]
			o := peer.StartOpenSMTPD(t, peer.OpenSMTPDConfig{Deliver: deliver, TTL: ttl})
			var want []string
			for _, m := range messages {
				submit(t, o.Addr, m.Content, goodA)
				want = append(want, m.Stored())
			}
			mixed := corpus.Messages()[0]
			submit(t, o.Addr, mixed.Content, goodA, unknownC, fullD, goodB)
			o.AwaitIdle(time.Minute)

			above := []string{"Return-Path", "Delivered-To", "Received", "Delivered-To", "Received"}
			s.checkStored(t, s.account(t, goodA), append(want, mixed.Stored()), above...)
			s.checkStored(t, s.account(t, goodB), []string{mixed.Stored()}, above...)
			checkDeliveries(t, o.Deliveries(), map[string]int{goodA: len(want) + 1, goodB: 1, mixFrom: 1}, map[string]string{
				unknownC: "deferred 550 5.1.1 no such mailbox here", fullD: "deferred 452 4.2.2 mailbox is full",
			})
			s.checkFailed(t, unknownC+": Envelope expired", fullD+": Envelope expired")
		})
	}
}

// TestOpenSMTPDRelay: as a relay OpenSMTPD tells what is for good from what is not. It takes
// replies of several recipients for a fault when they come at once, as they may (RFC 2033 §4.2),
// and so gets one recipient at a time here.
func TestOpenSMTPDRelay(t *testing.T) {
	t.Parallel()
	peer.Need(t, "opensmtpd")
	s := openSite(t)
	s.fillBox(t, s.account(t, fullD))
	o := peer.StartOpenSMTPD(t, peer.OpenSMTPDConfig{Deliver: "lmtp://" + s.tcp, TTL: time.Minute})
	m := corpus.Messages()[0]
	for _, to := range []string{goodA, unknownC, fullD, goodB} {
		submit(t, o.Addr, m.Content, to)
	}
	peer.Await(t, time.Minute, "an attempt for each and a report",
		func() bool { return attempted(o.Deliveries(), goodA, unknownC, fullD, goodB, mixFrom) })

	for _, to := range []string{goodA, goodB} {
		s.checkStored(t, s.account(t, to), []string{m.Stored()}, "Return-Path", "Delivered-To", "Received", "Received")
	}
	s.checkMix(t, o.Deliveries())
}

// keptByOpenSMTPD are the messages of the corpus that OpenSMTPD itself leaves as they are: it adds
// Date and Message-ID where there are none, removes Bcc, and ends lines at NUL.
func keptByOpenSMTPD() []corpus.Message {
	return slices.DeleteFunc(corpus.Messages(), func(m corpus.Message) bool {
		return !strings.Contains(m.Content, "\nDate:") || !strings.Contains(m.Content, "\nMessage-ID:") ||
			strings.Contains(m.Content, "\nBcc:") || strings.Contains(m.Content, "\x00")
	})
}
