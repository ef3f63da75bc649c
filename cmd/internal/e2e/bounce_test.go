package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A bounced is a recipient that does not exist, and what the sender's report must say.
type bounced struct {
	sender tongue
	from   string // a spelling of the sender's address
	to     string
}

// unknown are recipients that do not exist, in either spelling of their domain.
func unknown(t *testing.T) (list []bounced) {
	t.Helper()
	for i, to := range tongues {
		sender := tongues[(i+1)%len(tongues)]
		b := bounced{sender: sender, from: sender.address(), to: to.word + "@" + to.domain}
		if i%2 == 1 {
			b.to = to.word + "@" + to.aLabels(t)
		}
		list = append(list, b)
	}
	return list
}

// checkReadable wants one report for each unknown recipient in its sender's mailbox, which says
// our reply, and the address as the sender wrote it, in UTF-8.
func (w *world) checkReadable(t *testing.T, list []bounced, marks ...string) {
	t.Helper()
	for _, b := range list {
		reports := w.messages(t, w.account(t, b.sender))
		if len(reports) != 1 {
			t.Errorf("%s: %d reports, want 1", b.from, len(reports))
			continue
		}
		for _, mark := range append([]string{"Return-Path: <>\n", " with UTF8LMTP id ", "550 5.1.1 no such mailbox here",
			"<" + b.to + ">"}, marks...) {
			if !strings.Contains(reports[0], mark) {
				t.Errorf("%s: no %q in %s", b.from, mark, reports[0])
			}
		}
	}
}

// TestPostfixBouncesReadably: UTF8-06 keeps the address out of the reply, and Postfix puts it into
// the report.
func TestPostfixBouncesReadably(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix", "dovecot")
	w := openWorld(t)
	p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "lmtp:" + w.unix, Domains: domains(t)})
	list := unknown(t)
	for _, b := range list {
		post(t, p.Addr, b.from, b.to, b.sender.attach(b.from, b.to))
	}
	p.AwaitIdle(time.Minute)
	w.checkReadable(t, list, "\nStatus: 5.1.1\n", "\nContent-Type: message/global-delivery-status\n")
	w.readByIMAP(t)
}

// TestEximBouncesReadably is the same with Exim.
func TestEximBouncesReadably(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4", "dovecot")
	w := openWorld(t)
	e := peer.StartExim(t, peer.EximConfig{Deliver: "inet:" + w.tcp})
	list := unknown(t)
	for _, b := range list {
		post(t, e.Addr, b.from, b.to, b.sender.attach(b.from, b.to))
	}
	e.AwaitIdle(time.Minute)
	w.checkReadable(t, list)
	w.readByIMAP(t)
}
