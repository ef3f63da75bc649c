package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// TestTwoServersOneStore is R14: two servers of one name deliver into the same mailboxes, which
// neither has made yet, while Dovecot reads them and moves what it has seen from new/ to cur/. Every
// message is there once.
func TestTwoServersOneStore(t *testing.T) {
	peer.Need(t, "dovecot")
	const sessions, each = 4, 40
	store := peer.MailDir(t)
	c := peer.DovecotConfig{UID: peer.MailUser, GID: peer.MailUser}
	boxes := map[string]string{}
	for _, local := range []string{"alice", "bob"} {
		boxes[local] = filepath.Join(store, local, "Maildir")
		c.Users = append(c.Users, peer.DovecotUser{Name: local, Maildir: boxes[local]})
	}
	targets := []string{startOn(t, store), startOn(t, store)}
	d := peer.StartDovecot(t, c)

	var senders, readers sync.WaitGroup
	sent := make(chan struct{})
	for local := range boxes {
		readers.Go(func() {
			for done := false; !done; {
				select {
				case <-sent:
					done = true // and one last look
				default:
				}
				if err := look(d.Addr, local); err != nil {
					t.Errorf("%s by IMAP: %v", local, err)
					return
				}
			}
		})
	}
	for i := range sessions * len(targets) {
		senders.Go(func() {
			if err := sendMany(t.Context(), targets[i%len(targets)], i, each); err != nil {
				t.Error(err)
			}
		})
	}
	senders.Wait()
	close(sent)
	readers.Wait()

	for local, box := range boxes {
		seen := map[string]int{}
		for _, file := range glob(t, box+"/new/*", box+"/cur/*") {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(b), "\nSubject: ")
			subject, _, _ := strings.Cut(rest, "\n")
			seen[subject]++
		}
		for i := range sessions * len(targets) {
			for n := range each {
				if subject := fmt.Sprintf("%d of %d", n, i); seen[subject] != 1 {
					t.Errorf("%s has message %q %d times", local, subject, seen[subject])
				}
			}
		}
		if left := glob(t, box+"/tmp/*"); len(left) > 0 {
			t.Errorf("%s: left in tmp: %q", local, left)
		}
		if unseen := glob(t, box+"/new/*"); len(unseen) > 0 {
			t.Errorf("%s: Dovecot has not found %q", local, unseen)
		}
	}
	if complaints := d.Complaints(); len(complaints) > 0 {
		t.Errorf("Dovecot complains: %q", complaints)
	}
}

// startOn starts a server of its own on a store, and returns its address.
func startOn(t *testing.T, store string) (target string) {
	t.Helper()
	dir := peer.MailDir(t)
	p := peer.StartDoorstep(t, dir, fmt.Sprintf("hostname = \"store.example\"\npostmaster = \"alice@dst.example\"\n"+
		"[[listen]]\naddress = \"unix:lmtp\"\n[store]\npath = %q\n[[domain]]\nname = \"dst.example\"\n"+
		"[[user]]\naddress = \"alice@dst.example\"\nquota = \"1GiB\"\n[[user]]\naddress = \"bob@dst.example\"\n",
		store+"/{local}/Maildir"))
	peer.AwaitListener(t, p, "unix", filepath.Join(dir, "lmtp"))
	return "unix:" + filepath.Join(dir, "lmtp")
}

// sendMany sends messages to both mailboxes over one connection.
func sendMany(ctx context.Context, target string, session, n int) error {
	c, err := client.Dial(ctx, target, client.Options{})
	if err != nil {
		return err
	}
	for i := range n {
		r, err := c.Send(ctx, client.Message{From: mixFrom, To: client.To("alice@dst.example", "bob@dst.example"),
			Content: strings.NewReader(fmt.Sprintf("Subject: %d of %d\r\n\r\nHello\r\n", i, session))})
		if err != nil {
			return err
		}
		for _, o := range r.Recipients {
			if !o.Delivered() {
				return fmt.Errorf("refused %s: %s", o.To, o.Final)
			}
		}
	}
	return c.Quit(ctx)
}

// look opens a mailbox as a reader does who marks what is new, and reads the newest message.
func look(addr, user string) error {
	c, err := peer.DialIMAP(addr, user, peer.Password)
	if err != nil {
		return err
	}
	n, err := c.Select("INBOX")
	if err == nil && n > 0 {
		var content []byte
		if _, content, err = c.Fetch(n); err == nil && !strings.HasSuffix(string(content), "Hello\r\n") {
			err = fmt.Errorf("a message in part: %q", content)
		}
	}
	if err != nil {
		return err
	}
	return c.Logout()
}

func glob(t *testing.T, patterns ...string) (found []string) {
	t.Helper()
	for _, pattern := range patterns {
		list, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, list...)
	}
	return found
}
