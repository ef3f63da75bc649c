package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// Exim's lmtp transport knows no SMTPUTF8 and sends addresses as they are: what
// lenient_8bit_localpart is for (UTF8-03). Domains it must have in A-labels.

// TestEximWithoutSMTPUTF8IsRefused is the default: the sender is told, once and for good.
func TestEximWithoutSMTPUTF8IsRefused(t *testing.T) {
	peer.Need(t, "exim4")
	w := openWorld(t)
	e := peer.StartExim(t, peer.EximConfig{Deliver: w.unix})
	to := tongues[3]
	post(t, e.Addr, plainSender.address, to.local+"@"+to.aLabels(t), to.attach(plainSender.address, to.address()))
	e.AwaitIdle(time.Minute)
	reports := w.messages(t, plainSender)
	if len(reports) != 1 || !strings.Contains(reports[0], "553 5.6.7 an internationalized address needs SMTPUTF8") {
		t.Errorf("no report of 553 5.6.7: %q", reports)
	}
	if got := w.messages(t, w.account(t, to)); got != nil {
		t.Errorf("delivered %q", got)
	}
}

func TestEximWithoutSMTPUTF8ToLenientListener(t *testing.T) {
	peer.Need(t, "exim4", "dovecot")
	w := openWorld(t)
	e := peer.StartExim(t, peer.EximConfig{Deliver: w.lenient})
	want := map[string]string{}
	for i, to := range tongues {
		from := tongues[(i+1)%len(tongues)]
		sender := from.local + "@" + from.aLabels(t)
		content := to.attach(sender, to.address())
		want[to.address()] = content
		post(t, e.Addr, sender, to.spelt+"@"+to.aLabels(t), content)
	}
	e.AwaitIdle(time.Minute)
	for i, to := range tongues {
		from := tongues[(i+1)%len(tongues)]
		a := w.account(t, to)
		w.checkStored(t, a, []string{want[to.address()]}, "Return-Path", "Delivered-To", "Received", "Received")
		for _, m := range w.messages(t, a) {
			fields := strings.SplitN(strings.ReplaceAll(m, "\n\t", " "), "\n", 4)
			if fields[0] != "Return-Path: <"+from.local+"@"+from.aLabels(t)+">" ||
				fields[1] != "Delivered-To: "+to.spelt+"@"+to.aLabels(t) {
				t.Errorf("%s: %q", to.name, fields[:2])
			}
			if !strings.Contains(fields[2], " with LMTP id ") || !isPrintable(fields[2]) {
				t.Errorf("%s: %s", to.name, fields[2])
			}
		}
	}
	w.readByIMAP(t)
}

// isPrintable reports whether a trace field is the ASCII that it must be without SMTPUTF8.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
