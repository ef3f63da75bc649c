package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestFoldersOfDovecot: MDIR-11. Dovecot makes folders, by the names that its clients write in
// modified UTF-7, and in UTF-8; mail with the folder's name for a detail lands there, and Dovecot
// reads it there.
func TestFoldersOfDovecot(t *testing.T) {
	peer.Need(t, "dovecot")
	w := openWorld(t)
	of := tongues[len(tongues)-1]
	maildir := w.maildir(w.account(t, of))
	d := peer.StartDovecot(t, peer.DovecotConfig{UID: peer.MailUser, GID: peer.MailUser,
		Users: []peer.DovecotUser{{Name: "reader", Maildir: maildir}}})

	sendTo(t, w, of.address()) // makes the Maildir
	folders := []struct{ name, imap string }{
		{"Räksmörgås & Co", "R&AOQ-ksm&APY-rg&AOU-s &- Co"},
		{"Sent", "Sent"},
		{"Lists.日本語.go", "Lists.&ZeVnLIqe-.go"},
		{"📬", "&2D3c7A-"},
		{"~peter.台北", "x"}, // Dovecot makes no folder of that name
	}
	c, err := peer.DialIMAP(d.Addr, "reader", peer.Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders[:4] {
		if err := c.Create(f.imap); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range folders {
		sendTo(t, w, `"josé+`+f.name+`"@`+of.domain)
	}
	for _, f := range folders[:4] {
		// The same bytes as Dovecot's, not another folder beside it.
		if _, err := os.Stat(filepath.Join(maildir, "."+f.imap, "cur")); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		n, err := c.Examine(f.imap)
		if err != nil || n != 1 {
			t.Errorf("%s: %d messages, %v", f.name, n, err)
			continue
		}
		size, content, err := c.Fetch(1)
		if err != nil || size != len(content) || !strings.Contains(string(content), "\r\nDelivered-To: ") || !strings.Contains(string(content), f.name) {
			t.Errorf("%s: %d octets, %q, %v", f.name, size, content, err)
		}
	}
	if n, err := c.Examine("INBOX"); err != nil || n != 2 {
		t.Errorf("INBOX: %d messages, want the first and the one without a folder: %v", n, err)
	}
	if err := c.Logout(); err != nil {
		t.Error(err)
	}
	if complaints := d.Complaints(); len(complaints) > 0 {
		t.Errorf("Dovecot complains: %q", complaints)
	}
	made, err := filepath.Glob(filepath.Join(maildir, ".*", "new"))
	if err != nil || len(made) != 4 {
		t.Errorf("folders: %q, %v", made, err)
	}
}

// sendTo delivers a short message.
func sendTo(t *testing.T, w *world, to string) {
	t.Helper()
	c, err := client.Dial(t.Context(), w.unix, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), client.Message{To: []string{to}, Content: strings.NewReader("Subject: x\n\nx\n"), UTF8: client.UTF8Always})
	if err != nil {
		t.Fatal(err)
	}
	if o := r.Recipients[0]; !o.Delivered() {
		t.Fatalf("%s: %s", o.To, o.Final)
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}
