package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// The mix of recipients that an MTA has to tell apart: two good ones, one that does not exist, and
// one whose mailbox is over its quota, where a test fills it.
const (
	goodA    = "alice@dst.example"
	goodB    = "crew07@dst.example"
	unknownC = "nobody@dst.example"
	fullD    = "bob@dst.example"
	mixFrom  = "sender@src.example"
)

// account finds an account of the site.
func (s *site) account(t *testing.T, address string) siteAccount {
	t.Helper()
	for _, a := range siteAccounts {
		if a.address == address {
			return a
		}
	}
	t.Fatalf("no account %s", address)
	return siteAccount{}
}

// fillBox fills the mailbox of an account up to its quota, with one message.
func (s *site) fillBox(t *testing.T, a siteAccount) {
	t.Helper()
	box := s.maildir(a)
	for _, dir := range []string{filepath.Dir(filepath.Dir(box)), filepath.Dir(box), box, box + "/tmp", box + "/new",
		box + "/cur"} {
		if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
		if err := os.Chown(dir, peer.MailUser, peer.MailUser); err != nil {
			t.Fatal(err)
		}
	}
	filler := s.filler(a)
	if err := errors.Join(os.WriteFile(filler, nil, 0o600), os.Truncate(filler, fullQuota),
		os.Chown(filler, peer.MailUser, peer.MailUser)); err != nil {
		t.Fatal(err)
	}
}

// emptyBox removes that message, as an IMAP server would that knows of quotas.
func (s *site) emptyBox(t *testing.T, a siteAccount) {
	t.Helper()
	if err := os.Remove(s.filler(a)); err != nil {
		t.Fatal(err)
	}
	size, err := os.OpenFile(filepath.Join(s.maildir(a), "maildirsize"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(size, "%d -1\n", -fullQuota); err != nil {
		t.Fatal(err)
	}
	if err := size.Close(); err != nil {
		t.Fatal(err)
	}
}

func (s *site) filler(a siteAccount) string {
	return filepath.Join(s.maildir(a), "cur", fmt.Sprintf("1.filler,S=%d:2,S", fullQuota))
}

// fullQuota is the quota of the account that is full in the mix, in octets: enough for all other
// tests.
const fullQuota = 1 << 30

// breakBox puts a file where an account's Maildir should be.
func (s *site) breakBox(t *testing.T, a siteAccount) {
	t.Helper()
	box := s.maildir(a)
	above := []string{filepath.Dir(filepath.Dir(box)), filepath.Dir(box)}
	for _, dir := range above {
		if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(box, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range append(above, box) {
		if err := os.Chown(path, peer.MailUser, peer.MailUser); err != nil {
			t.Fatal(err)
		}
	}
}

// repairBox removes it.
func (s *site) repairBox(t *testing.T, a siteAccount) {
	t.Helper()
	if err := os.Remove(s.maildir(a)); err != nil {
		t.Fatal(err)
	}
}

// submit hands a message to an MTA, which must take it for all recipients.
func submit(t *testing.T, addr, content string, to ...string) {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Protocol: client.ESMTP, Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), client.Message{From: mixFrom, To: client.To(to...), Content: strings.NewReader(content),
		Body: "8BITMIME"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Recipients {
		if !o.Delivered() {
			t.Fatalf("refused %s: %s", o.To, o.Final)
		}
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}

// checkDeliveries wants a number of successes of each recipient, and of the others nothing but the
// given failure.
func checkDeliveries(t *testing.T, list []peer.Delivery, good map[string]int, failures map[string]string) {
	t.Helper()
	delivered, failed := map[string]int{}, map[string]string{}
	for _, d := range list {
		status, text, _ := strings.Cut(failures[d.To], " ")
		switch {
		case d.Status == "sent":
			delivered[d.To]++
		case d.Status == status && strings.Contains(d.Text, text):
			failed[d.To] = failures[d.To]
		default:
			t.Errorf("%+v", d)
		}
	}
	if diff := cmp.Diff(good, delivered) + cmp.Diff(failures, failed); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// checkFailed wants one report, with these words.
func (s *site) checkFailed(t *testing.T, words ...string) {
	t.Helper()
	reports := s.messages(t, s.account(t, mixFrom))
	if len(reports) != 1 || !strings.HasPrefix(reports[0], "Return-Path: <>\n") {
		t.Fatalf("%d reports: %q", len(reports), reports)
	}
	for _, word := range words {
		if !strings.Contains(reports[0], word) {
			t.Errorf("no %q in %s", word, reports[0])
		}
	}
}

// checkMix wants an outcome of its own for every recipient of the mix, as MTAs have that know a full mailbox from one
// that does not exist: delivered once, bounced with a report, deferred.
func (s *site) checkMix(t *testing.T, list []peer.Delivery) {
	t.Helper()
	checkDeliveries(t, list, map[string]int{goodA: 1, goodB: 1, mixFrom: 1}, map[string]string{
		unknownC: "bounced 550 5.1.1 no such mailbox here", fullD: "deferred 452 4.2.2 mailbox is full",
	})
	s.checkFailed(t, unknownC, "550 5.1.1 no such mailbox here")
}
