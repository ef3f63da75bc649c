package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestFoldersOfDovecot: MDIR-11. Dovecot makes folders, by the names that its clients write in
// modified UTF-7, and in UTF-8; mail with the folder's name for a detail lands there, and Dovecot
// reads it there.
func TestFoldersOfDovecot(t *testing.T) {
	t.Parallel()
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
		if err != nil || size != len(content) || !strings.Contains(string(content), "\r\nDelivered-To: ") ||
			!strings.Contains(string(content), f.name) {
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

// TestFoldersForDovecot: MDIR-10, MDIR-11. Mail makes folders, by the detail of its address and by
// a rule; Dovecot lists them, has its user subscribed to them, in either version of its list and
// beside what else is in it, reads the mail, and makes and deletes folders beside them.
func TestFoldersForDovecot(t *testing.T) {
	t.Parallel()
	peer.Need(t, "dovecot")
	for encoding, location := range map[string]string{"utf-7": "maildir:~", "utf-8": "maildir:~:UTF-8"} {
		dir := peer.MailDir(t)
		store, listener := filepath.Join(dir, "mail"), "unix:"+filepath.Join(dir, "lmtp")
		if err := errors.Join(os.Mkdir(store, 0o700), os.Chown(store, peer.MailUser, peer.MailUser)); err != nil {
			t.Fatal(err)
		}
		p := peer.StartDoorstep(t, dir, strings.Join([]string{
			`postmaster = "u@dst.example"`,
			"[[listen]]", `address = "` + listener + `"`,
			"[store]", `path = "` + store + `/{local}"`, `folders = "` + encoding + `"`,
			"[[domain]]", `name = "dst.example"`, `detail = "create"`,
			"[[user]]", `address = "u@dst.example"`,
			"[[rule]]", `header = "Subject"`, `equals = "x"`, `folder = "Junk.ü"`, "domains = [\"dst.example\"]",
		}, "\n"))
		peer.AwaitListener(t, p, "unix", strings.TrimPrefix(listener, "unix:"))
		d := peer.StartDovecot(t, peer.DovecotConfig{UID: peer.MailUser, GID: peer.MailUser,
			Users: []peer.DovecotUser{{Name: "reader",
				Maildir: filepath.Join(store, "u")}}, Settings: []string{"mail_location = " + location}})

		// The first message makes the Maildir, its folder and the list.
		deliverTo(t, listener, "Subject: x\n\nx\n", "u+ignored@dst.example")
		c, err := peer.DialIMAP(d.Addr, "reader", peer.Password)
		if err != nil {
			t.Fatal(err)
		}
		for _, mailbox := range []string{"&ZeVnLIqe-", "Ours"} { // now Dovecot changes the list
			if err := errors.Join(c.Create(mailbox), c.Subscribe(mailbox)); err != nil {
				t.Fatal(err)
			}
		}
		deliverTo(t, listener, "Subject: y\n\nx\n", `"u+R & ö.Go"@dst.example`, "u+Lists@dst.example", "u+日本語@dst.example")
		list := filepath.Join(store, "u", "subscriptions") // and anew, in its second version
		if err := os.Rename(list, list+".old"); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(c.Subscribe("INBOX"), c.Subscribe("R &- &APY-.Go")); err != nil {
			t.Fatal(err)
		}
		deliverTo(t, listener, "Subject: y\n\nx\n", "u+Lists.ö@dst.example")
		again, err := c.Subscriptions()
		if want := []string{"INBOX", "Lists.&APY-", "R &- &APY-.Go"}; err != nil || !slices.Equal(again, want) {
			t.Errorf("%s: subscribed to %q, %v; want %q", encoding, again, err, want)
		}
		if err := os.Rename(list+".old", list); err != nil {
			t.Fatal(err)
		}

		want := []string{"&ZeVnLIqe-", "Junk.&APw-", "Lists", "Ours", "R &- &APY-.Go"}
		got, err := c.Subscriptions()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: subscribed to %q, %v; want %q", encoding, got, err, want)
		}
		for _, mailbox := range append(want, "Lists.&APY-", "INBOX") {
			n, err := c.Examine(mailbox)
			if err != nil || n != map[bool]int{true: 0, false: 1}[mailbox == "Ours" || mailbox == "INBOX"] {
				t.Errorf("%s: %s: %d messages, %v", encoding, mailbox, n, err)
			}
		}
		if err := errors.Join(c.Delete("Lists.&APY-"), c.Logout()); err != nil {
			t.Error(err)
		}
		if complaints := d.Complaints(); len(complaints) > 0 {
			t.Errorf("Dovecot complains: %q", complaints)
		}
	}
}

// sendTo delivers a short message.
func sendTo(t *testing.T, w *world, to string) {
	t.Helper()
	deliverTo(t, w.unix, "Subject: x\n\nx\n", to)
}

// deliverTo delivers a message to all recipients.
func deliverTo(t *testing.T, listener, content string, to ...string) {
	t.Helper()
	c, err := client.Dial(t.Context(), listener, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Send(t.Context(), client.Message{To: client.To(to...), Content: strings.NewReader(content),
		UTF8: client.UTF8Always})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range r.Recipients {
		if !o.Delivered() {
			t.Fatalf("%s: %s", o.To, o.Final)
		}
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Error(err)
	}
}
