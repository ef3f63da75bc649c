package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// recipe returns what a page shows after the mark "<!-- test: NAME -->".
func recipe(t *testing.T, page, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- test: " + regexp.QuoteMeta(name) +
		" -->\n```[a-z]*\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatalf("%s has no recipe for %s", page, name)
	}
	return string(block[1])
}

// TestMigration follows docs/migration.md: mail that Dovecot's LMTP delivered, mail that Doorstep
// delivers after Postfix was switched over, and again Dovecot's after the way back, all in the same
// Maildirs, by the same file of accounts, and all read by Dovecot's IMAP server.
func TestMigration(t *testing.T) {
	peer.Need(t, "postfix", "dovecot", "dovecot-lmtp")
	for _, tt := range []struct {
		name, maildir string // below the home; "." is the home
		replace       []string
	}{
		{"plain", "Maildir", []string{"/etc/dovecot/users", "USERS"}},
		{"docker-mailserver", ".", []string{"/etc/dovecot/userdb", "USERS", "/var/mail/", "MAIL/"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := peer.MailDir(t)
			mail := filepath.Join(dir, "mail")
			mailUsersOwn(t, mail)
			users := []peer.DovecotUser{}
			homes := map[string]string{}
			for _, local := range []string{"alice", "bob"} {
				home := filepath.Join(mail, "example.org", local)
				mailUsersOwn(t, filepath.Dir(home))
				mailUsersOwn(t, home)
				homes[local+"@example.org"] = home
				users = append(users, peer.DovecotUser{Name: local + "@example.org", Maildir: home})
			}
			d := peer.StartDovecot(t, peer.DovecotConfig{
				Users: users, UID: peer.MailUser, GID: peer.MailUser, LMTP: true,
				Settings: []string{"mail_location = maildir:~/" + tt.maildir},
			})
			socket := filepath.Join(dir, "doorstep.sock")
			text := strings.NewReplacer(append(tt.replace, "/var/spool/postfix/private/doorstep", socket, `"0660"`,
				`"0666"`)...).Replace(recipe(t, "docs/migration.md", tt.name))
			text = strings.NewReplacer("USERS", d.UsersFile, "MAIL/", mail+"/", "group   = \"postfix\"\n", "").Replace(text)
			s := peer.StartDoorstep(t, dir, text)
			peer.AwaitListener(t, s, "unix", socket)
			p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "lmtp:unix:" + d.LMTPSocket, Domains: []string{"example.org"}})

			for i, transport := range []string{d.LMTPSocket, socket, d.LMTPSocket} {
				p.Configure("virtual_transport = lmtp:unix:" + transport)
				for n := range 3 {
					inject(t, p.Addr, fmt.Sprintf("Subject: message %d of part %d\r\n\r\nHello.\r\n", n, i), "alice@example.org",
						"bob@example.org")
				}
				p.AwaitIdle(time.Minute)
			}
			by := map[string]int{}
			for _, delivery := range p.Deliveries() {
				by[delivery.Relay+" "+delivery.Status]++
			}
			if got := by["mx.example["+socket+"] sent"]; got != 6 {
				t.Errorf("Doorstep took %d, want 6: %v", got, by)
			}
			for who, home := range homes {
				imap, err := peer.DialIMAP(d.Addr, who, peer.Password)
				if err != nil {
					t.Fatal(err)
				}
				if n, err := imap.Examine("INBOX"); err != nil || n != 9 {
					t.Errorf("%s in %s: %d messages, want 9: %v", who, home, n, err)
				}
				if err := imap.Logout(); err != nil {
					t.Error(err)
				}
			}
			if complaints := append(d.Complaints(), p.Complaints()...); len(complaints) > 0 {
				t.Errorf("complaints: %q", complaints)
			}
		})
	}
}

// mailUsersOwn makes a directory of MailUser.
func mailUsersOwn(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, peer.MailUser, peer.MailUser); err != nil {
		t.Fatal(err)
	}
}

// inject hands a message to Postfix.
func inject(t *testing.T, addr, text string, to ...string) {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{Protocol: client.ESMTP})
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.Send(t.Context(), client.Message{To: to, Content: strings.NewReader(text), Size: int64(len(text))})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range result.Recipients {
		if !r.Delivered() {
			t.Fatalf("Postfix refuses %s: %v", r.To, r.Final)
		}
	}
	if err := c.Quit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
