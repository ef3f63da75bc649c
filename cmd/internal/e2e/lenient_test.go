package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// Exim's lmtp transport knows no SMTPUTF8 and sends addresses as they are, and Postfix hands over without SMTPUTF8 what
// an alias leads to, where the sender did not ask for it: what lenient_8bit_localpart is for (UTF8-03).

// TestEximWithoutSMTPUTF8IsRefused is the rule: the sender is answered, once and for good.
func TestEximWithoutSMTPUTF8IsRefused(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4")
	w := openWorld(t)
	e := peer.StartExim(t, peer.EximConfig{Deliver: w.strict})
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

func TestEximWithoutSMTPUTF8(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4", "dovecot")
	w := openWorld(t)
	e := peer.StartExim(t, peer.EximConfig{Deliver: w.unix})
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

// TestPostfixAliasToInternationalized: an ASCII alias in Postfix leads to an internationalized mailbox, and the sender
// knows nothing of that. On Unix sockets and from trusted peers that is delivered without a word in the configuration.
func TestPostfixAliasToInternationalized(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	strict, trusted := "unix:"+filepath.Join(peer.MailDir(t), "strict"), "127.0.0.1:"+peer.FreePort(t)
	s := openSite(t, fmt.Sprintf("[[listen]]\naddress = %q\nmode = \"0666\"\nlenient_8bit_localpart = false\n", strict),
		fmt.Sprintf("[[listen]]\naddress = \"tcp:%s\"\ntrusted = [\"127.0.0.1\"]\n", trusted))
	p := peer.StartPostfix(t, peer.PostfixConfig{
		Deliver: "lmtp:" + s.unix,
		Domains: []string{"dst.example", "src.example", "例え.example", "xn--r8jz45g.example"},
		Params: []string{"virtual_alias_maps = inline:{ { jose@dst.example = josé@dst.example }, " +
			"{ u@dst.example = 用户@例え.example }, { a@dst.example = 用户@xn--r8jz45g.example } }"},
	})
	for i, tt := range []struct{ name, target, status string }{
		{"Unix socket", s.unix, "sent"},
		{"trusted", "inet:" + trusted, "sent"},
		{"false", strict, "bounced"},
		{"others over TCP", "inet:" + s.tcp, "bounced"},
	} {
		p.Configure("virtual_transport = lmtp:" + tt.target)
		before := len(p.Deliveries())
		for _, to := range []string{"jose@dst.example", "u@dst.example", "a@dst.example"} {
			submit(t, p.Addr, fmt.Sprintf("Subject: %s\r\n\r\nHello.\r\n", tt.name), to)
		}
		p.AwaitIdle(time.Minute)
		n := 0
		for _, d := range p.Deliveries()[before:] {
			if d.To == mixFrom {
				continue // the report
			}
			n++
			if d.Status != tt.status || d.Status == "bounced" && !strings.Contains(d.Text, "553 5.6.7") {
				t.Errorf("%s: %+v, want %s", tt.name, d, tt.status)
			}
		}
		if n != 3 {
			t.Errorf("%s: %d deliveries", tt.name, n)
		}
		jose, user := s.messages(t, s.account(t, "josé@dst.example")), s.messages(t, s.account(t, "用户@例え.example"))
		if want := min(i+1, 2); len(jose) != want || len(user) != 2*want {
			t.Errorf("%s: %d and %d messages, want %d and %d", tt.name, len(jose), len(user), want, 2*want)
		}
	}
	if c := p.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
}

// isPrintable reports whether a trace field is the ASCII that it must be without SMTPUTF8.
func isPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
