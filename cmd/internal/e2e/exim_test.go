package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/cmd/internal/peer/corpus"
)

// eximWays are those by which Exim hands mail over, each with the extensions that it then uses, as
// its log has them: K is CHUNKING.
var eximWays = []struct {
	name   string
	target func(*site) string
	uses   string
}{
	{"lmtp transport", func(s *site) string { return s.unix }, ` C="250 2.0.0 `},
	{"LMTP", func(s *site) string { return "inet:" + s.tcp }, ` K C="250 2.0.0 `},
	{"ESMTP", func(s *site) string { return "smtp:" + s.esmtp }, ` PRDR K C="250 2.0.0 `},
}

// TestEximMix: each recipient has its own result, with LMTP's replies and with those of PRDR
// (DATA-13). Of a message for many, what is over the limit of recipients comes in a second
// transaction (LIM-03).
func TestEximMix(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4")
	for _, way := range eximWays {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := openSite(t, "[limits]\nrecipients = 100\n")
			s.fillBox(t, s.account(t, fullD))
			e := peer.StartExim(t, peer.EximConfig{Deliver: way.target(s)})
			m := corpus.Messages()[0]
			submit(t, e.Addr, m.Content, goodA, unknownC, fullD, goodB)
			peer.Await(t, time.Minute, "a second attempt, and a report", func() bool {
				return count(e.Deliveries(), fullD) > 1 && count(e.Deliveries(), mixFrom) > 0
			})
			s.checkMix(t, e.Deliveries())
			for _, d := range e.Deliveries() {
				if (d.To == goodA || d.To == goodB) && !strings.Contains(d.Text, way.uses) {
					t.Errorf("%s: %s, want %s", d.To, d.Text, way.uses)
				}
			}

			s.emptyBox(t, s.account(t, fullD))
			crowd := slices.Clone(crew)
			for _, c := range crew {
				crowd = append(crowd, strings.Replace(c, "@", "+list@", 1))
			}
			submit(t, e.Addr, m.Content, crowd...)
			e.AwaitIdle(time.Minute)
			for _, to := range []string{goodA, fullD} {
				s.checkStored(t, s.account(t, to), []string{m.Stored()}, "Return-Path", "Delivered-To", "Received", "Received")
			}
			for _, to := range crowd {
				if n := count(e.Deliveries(), to); n != 1 && to != goodB {
					t.Errorf("%d deliveries to %s", n, to)
				}
			}
		})
	}
}

// TestEximAllRefused: the last reply of PRDR, for the whole, says no more than those for each. Exim
// takes a permanent one there for all recipients, though one were to be tried again.
func TestEximAllRefused(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4")
	s := openSite(t)
	for _, to := range []string{fullD, goodA} {
		s.breakBox(t, s.account(t, to))
	}
	e := peer.StartExim(t, peer.EximConfig{Deliver: "smtp:" + s.esmtp})
	m := corpus.Messages()[0]
	submit(t, e.Addr, m.Content, fullD, goodA)
	peer.Await(t, time.Minute, "an attempt",
		func() bool { return count(e.Deliveries(), fullD) > 0 && count(e.Deliveries(), goodA) > 0 })
	for _, d := range e.Deliveries() {
		early := strings.Contains(d.Text, "retry time not reached") // a queue run, and no attempt
		if d.Status != "deferred" || !early && !strings.Contains(d.Text, "451 4.2.0 mailbox is not available") {
			t.Errorf("%+v", d)
		}
	}
	for _, to := range []string{fullD, goodA} {
		s.repairBox(t, s.account(t, to))
	}
	e.AwaitIdle(time.Minute)
	for _, to := range []string{fullD, goodA} {
		s.checkStored(t, s.account(t, to), []string{m.Stored()}, "Return-Path", "Delivered-To", "Received", "Received")
	}
}

// TestEximIgnoresQuota: a trusted Exim that asks for it gets a message into a full mailbox (EXT-16), by its
// smtp transport: the answer to LHLO of trusted peers is too long for the other.
func TestEximIgnoresQuota(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4")
	addr := "127.0.0.1:" + peer.FreePort(t)
	s := openSite(t, fmt.Sprintf("[[listen]]\naddress = %q\ntrusted = [\"127.0.0.1\"]\n", "tcp:"+addr))
	full := s.account(t, fullD)
	s.fillBox(t, full)
	e := peer.StartExim(t, peer.EximConfig{Deliver: "inet:" + addr, Transport: []string{"lmtp_ignore_quota"}})
	m := corpus.Messages()[0]
	submit(t, e.Addr, m.Content, fullD)
	e.AwaitIdle(time.Minute)
	s.emptyBox(t, full)
	s.checkStored(t, full, []string{m.Stored()}, "Return-Path", "Delivered-To", "Received", "Received")
}
