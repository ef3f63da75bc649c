package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestFoldersForCourier: MDIR-10, MDIR-11. Courier's IMAP server lists the folders that mail makes, by
// their names, has its user subscribed to them, beside what the user chose and against nothing that
// the user unchose, and reads the mail. Mail for a folder that Courier made lands in it. No mail makes
// the folder over which it would fail.
func TestFoldersForCourier(t *testing.T) {
	t.Parallel()
	peer.Need(t, "courier-imap")
	dir := peer.MailDir(t)
	store, listener := filepath.Join(dir, "mail"), "unix:"+filepath.Join(dir, "lmtp")
	if err := errors.Join(os.Mkdir(store, 0o700), os.Chown(store, peer.MailUser, peer.MailUser)); err != nil {
		t.Fatal(err)
	}
	p := peer.StartDoorstep(t, dir, strings.Join([]string{
		`postmaster = "u@dst.example"`,
		"[[listen]]", `address = "` + listener + `"`,
		"[store]", `path = "` + store + `/{local}"`, `folders = "utf-8"`,
		"[[domain]]", `name = "dst.example"`, `detail = "create"`,
		"[[user]]", `address = "u@dst.example"`,
		"[[rule]]", `header = "X-Spam-Flag"`, `equals = "yes"`, `folder = "Junk"`,
	}, "\n"))
	peer.AwaitListener(t, p, "unix", strings.TrimPrefix(listener, "unix:"))
	maildir := filepath.Join(store, "u")
	const resume, ours, gone = "INBOX.R&AOk-sum&AOk-&-Co.&ZeVnLIqe-", "INBOX.Ours.&APY- x", "INBOX.Gone"

	deliverTo(t, listener, "Subject: x\n\nx\n", `"u+Résumé&Co.日本語"@dst.example`)
	deliverTo(t, listener, "X-Spam-Flag: YES\nSubject: x\n\nx\n", "u@dst.example")
	deliverTo(t, listener, "Subject: x\n\nx\n", "u+Gone@dst.example")
	c := peer.DialCourier(t, maildir)
	expect := func(what string, list func() ([]string, error), want ...string) {
		t.Helper()
		if got, err := list(); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", what, got, err, want)
		}
	}
	expect("mailboxes", c.Mailboxes, "INBOX", gone, "INBOX.Junk", resume)
	expect("subscriptions", c.Subscriptions, gone, "INBOX.Junk", resume)

	// Now Courier makes a folder, and changes its list.
	if err := errors.Join(c.Create(ours), c.Subscribe(ours), c.Subscribe("INBOX"), c.Unsubscribe(gone)); err != nil {
		t.Fatal(err)
	}
	deliverTo(t, listener, "Subject: x\n\nx\n", `"u+Ours.ö x"@dst.example`, "u+Gone@dst.example", "u+More@dst.example",
		"u+📬@dst.example")
	expect("mailboxes", c.Mailboxes, "INBOX", gone, "INBOX.Junk", "INBOX.More", ours, resume)
	expect("subscriptions", c.Subscriptions, "INBOX", "INBOX.Junk", "INBOX.More", ours, resume)

	for folder, want := range map[string]int{"INBOX": 1, gone: 2, "INBOX.Junk": 1, "INBOX.More": 1, ours: 1, resume: 1} {
		n, err := c.Select(folder)
		if err != nil || n != want {
			t.Errorf("%s: %d messages, %v; want %d", folder, n, err, want)
			continue
		}
		for i := range n {
			size, content, err := c.Fetch(i + 1)
			if err != nil || size != len(content) || !strings.Contains(string(content), "\r\nSubject: x\r\n") {
				t.Errorf("%s: %d octets, %q, %v", folder, size, content, err)
			}
		}
	}
	_, err := c.Select("INBOX") // a folder that is open cannot be deleted
	if err := errors.Join(err, c.Delete("INBOX.More"), c.Logout()); err != nil {
		t.Error(err)
	}
	made, err := filepath.Glob(filepath.Join(maildir, ".*", "maildirfolder"))
	if err != nil || len(made) != 4 {
		t.Errorf("folders: %q, %v", made, err)
	}
}
