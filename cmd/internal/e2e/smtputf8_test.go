package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A letter is an internationalized message on its way.
type letter struct {
	from, to string
	tongue   tongue // of the recipient
	content  string
}

// letters are two for each tongue, from the one before it: between U-labels, and between A-labels
// to another spelling of the local part.
func letters(t *testing.T) (list []letter) {
	t.Helper()
	for i, to := range tongues {
		from := tongues[(i+len(tongues)-1)%len(tongues)]
		for _, l := range []letter{
			{from: from.address(), to: to.address()},
			{from: from.local + "@" + from.aLabels(t), to: to.spelt + "@" + to.aLabels(t)},
		} {
			l.tongue, l.content = to, to.attach(l.from, l.to)
			list = append(list, l)
		}
	}
	return list
}

// post sends a message to an MTA.
func post(t *testing.T, addr, from, to, content string) {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Protocol: client.ESMTP, Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), client.Message{
		From: from, To: client.To(to), Content: strings.NewReader(content), Body: "8BITMIME", UTF8: client.UTF8Always,
	})
	if err != nil {
		t.Fatalf("%s: %v", to, err)
	}
	if o := r.Recipients[0]; !o.Delivered() {
		t.Fatalf("refused %s: %s", o.To, o.Final)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}

// checkLetters wants each letter in its mailbox, octet for octet below trace fields that are those
// of an internationalized delivery (RFC 6531 §3.7.3): its keyword, and U-labels.
func (w *world) checkLetters(t *testing.T, list []letter, above ...string) {
	t.Helper()
	above = append([]string{"Return-Path", "Delivered-To", "Received"}, above...)
	for _, to := range tongues {
		a := w.account(t, to)
		var want []string
		for _, l := range list {
			if l.tongue == to {
				want = append(want, l.content)
			}
		}
		w.checkStored(t, a, want, above...)
		for _, m := range w.messages(t, a) {
			head, _, _ := strings.Cut(m, "\nFrom: ")
			head = strings.NewReplacer("\n\t", " ", "\n ", " ").Replace(head)
			fields := strings.Split(head, "\n")
			if !strings.Contains(fields[2], " by store.example with UTF8LMTP id ") ||
				!strings.Contains(fields[2], "@"+to.domain+">; ") {
				t.Errorf("%s: %s", to.name, fields[2])
			}
		}
	}
}

// TestPostfixInternationalized: UTF8-09, UTF8-12, EAI-01, EAI-04 from Postfix to IMAP.
func TestPostfixInternationalized(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix", "dovecot")
	w := openWorld(t)
	p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "lmtp:" + w.unix, Domains: domains(t)})
	list := letters(t)
	for _, l := range list {
		post(t, p.Addr, l.from, l.to, l.content)
	}
	p.AwaitIdle(time.Minute)
	for _, d := range p.Deliveries() {
		if d.Status != "sent" || d.DSN != "2.0.0" {
			t.Errorf("%+v", d)
		}
	}
	if c := p.Complaints(); len(c) > 0 {
		t.Errorf("Postfix complains: %q", c)
	}
	w.checkLetters(t, list, "Received")
	w.readByIMAP(t)
}

// TestEximInternationalized is the same with Exim, which sends BDAT.
func TestEximInternationalized(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4", "dovecot")
	w := openWorld(t)
	e := peer.StartExim(t, peer.EximConfig{Deliver: "inet:" + w.tcp})
	list := letters(t)
	for _, l := range list {
		post(t, e.Addr, l.from, l.to, l.content)
	}
	e.AwaitIdle(time.Minute)
	if sent := strings.Count(e.Log(), ` C="250 2.`); sent != len(list) {
		t.Errorf("%d deliveries in the log of Exim, want %d", sent, len(list))
	}
	w.checkLetters(t, list, "Received")
	w.readByIMAP(t)
}

// TestSendInternationalized is the same by doorstep send, which asks for SMTPUTF8 by itself.
func TestSendInternationalized(t *testing.T) {
	t.Parallel()
	peer.Need(t, "dovecot")
	w := openWorld(t)
	list := letters(t)
	program := filepath.Join(filepath.Dir(w.store), "doorstep")
	for _, l := range list {
		cmd := exec.CommandContext(t.Context(), program, "send", "--server", w.unix, "-f", l.from, "-t", l.to, "-")
		cmd.Stdin = strings.NewReader(l.content)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), l.to+": 250 2.0.0 ") {
			t.Errorf("%v: %s", err, out)
		}
	}
	w.checkLetters(t, list)
	w.readByIMAP(t)
}

// TestDeliverInternationalized delivers the same letters from standard input, without a server.
func TestDeliverInternationalized(t *testing.T) {
	t.Parallel()
	peer.Need(t, "dovecot")
	w := openWorld(t)
	list := letters(t)
	dir := filepath.Dir(w.store)
	for _, l := range list {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "doorstep"), "deliver", "-c",
			filepath.Join(dir, "doorstep.toml"), "-f", l.from, l.to)
		cmd.Stdin = strings.NewReader(l.content)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", l.to, err, out)
		}
	}
	w.checkLetters(t, list)
	w.readByIMAP(t)
}
