package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// The mix of recipients that an MTA has to tell apart: two good ones, one that does not exist, and
// one whose mailbox is in no state to take mail.
const (
	goodA    = "alice@dst.example"
	goodB    = "crew07@dst.example"
	unknownC = "nobody@dst.example"
	brokenD  = "bob@dst.example"
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

// submit hands a message to an MTA, which must take it for all recipients.
func submit(t *testing.T, addr, content string, to ...string) {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Protocol: client.ESMTP, Hello: "client.example"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), client.Message{From: mixFrom, To: to, Content: strings.NewReader(content), Body: "8BITMIME"})
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
