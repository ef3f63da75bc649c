package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
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
	t.Parallel()
	peer.Need(t, "postfix", "dovecot", "dovecot-lmtp")
	for _, tt := range []struct {
		name, home, maildir string // below the account's directory
		replace             []string
	}{
		{"plain", ".", "Maildir", []string{"/etc/dovecot/users", "USERS"}},
		{"docker-mailserver", "home", ".", []string{"/etc/dovecot/userdb", "USERS", "/var/mail/", "MAIL/"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := peer.MailDir(t)
			mail := filepath.Join(dir, "mail")
			mailUsersOwn(t, mail)
			users := []peer.DovecotUser{}
			homes := map[string]string{}
			for _, local := range []string{"alice", "bob"} {
				account := filepath.Join(mail, "example.org", local)
				home := filepath.Join(account, tt.home)
				mailUsersOwn(t, filepath.Dir(account))
				mailUsersOwn(t, account)
				mailUsersOwn(t, home)
				homes[local+"@example.org"] = home
				users = append(users, peer.DovecotUser{Name: local + "@example.org", Maildir: home})
			}
			d := peer.StartDovecot(t, peer.DovecotConfig{
				Users: users, UID: peer.MailUser, GID: peer.MailUser, LMTP: true,
				Settings: []string{"mail_location = maildir:" + filepath.Join(mail, "%d/%n", tt.maildir)},
			})
			socket := filepath.Join(dir, "doorstep.sock")
			text := strings.NewReplacer(append(tt.replace, "unix:/var/spool/postfix/private/doorstep", "unix:"+socket,
				`"systemd:lmtp"`, fmt.Sprintf("%q\nmode = \"0666\"", "unix:"+socket), `"0660"`, `"0666"`, `"vmail"`, `"mail"`,
				`"docker"`, `"mail"`)...).Replace(recipe(t, "docs/migration.md", tt.name))
			text = strings.NewReplacer("USERS", d.UsersFile, "MAIL/", mail+"/", "group   = \"postfix\"\n", "").Replace(text)
			s := peer.StartDoorstep(t, dir, text)
			peer.AwaitListener(t, s, "unix", socket)
			p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "lmtp:unix:" + d.LMTPSocket, Domains: []string{"example.org"}})

			if tt.name == "docker-mailserver" {
				p.Run(recipe(t, "docs/migration.md", tt.name+" switch"))
			}
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
			readers := []string{d.Addr}
			if tt.name == "docker-mailserver" { // which has Dovecot 2.4
				readers = append(readers, peer.StartDovecot24(t, peer.MailUser, "mail_path = "+mail+
					"/%{user | domain}/%{user | username}", "userdb passwd-file {", "passwd_file_path = "+d.UsersFile, "}").Addr)
			}
			for _, reader := range readers {
				for who, home := range homes {
					imap, err := peer.DialIMAP(reader, who, peer.Password)
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
			}
			if complaints := append(d.Complaints(), p.Complaints()...); len(complaints) > 0 {
				t.Errorf("complaints: %q", complaints)
			}
		})
	}
}

// TestMigrationOfMailcow: the line of custom_transport.pcre goes before virtual_transport, and mail goes to Doorstep by
// TCP.
func TestMigrationOfMailcow(t *testing.T) {
	t.Parallel()
	peer.Need(t, "postfix")
	dir, port := peer.MailDir(t), peer.FreePort(t)
	mailUsersOwn(t, dir+"/mail")
	configuration := strings.Replace(recipe(t, "docs/migration.md", "mailcow"), "0.0.0.0:2424", "127.0.0.1:"+port, 1)
	s := peer.StartDoorstep(t, dir, configuration+fmt.Sprintf("[store]\npath = \"%s/mail/{local}\"\n[[domain]]\n"+
		"name = \"example.org\"\n[[user]]\naddress = \"josé@example.org\"\n", dir))
	peer.AwaitListener(t, s, "tcp", "127.0.0.1:"+port)
	transports := filepath.Join(peer.Dir(t), "custom_transport")
	line := strings.Replace(recipe(t, "docs/migration.md", "mailcow switch"), "doorstep:2424", "127.0.0.1:"+port, 1)
	if err := os.WriteFile(transports, []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	p := peer.StartPostfix(t, peer.PostfixConfig{Deliver: "error:5.3.0 Dovecot has it", Domains: []string{"example.org"},
		Params: []string{"transport_maps = regexp:" + transports, // pcre: is a package of its own
			"virtual_alias_maps = inline:{ { jose@example.org = josé@example.org } }"}})
	inject(t, p.Addr, "Subject: hello\r\n\r\nHello.\r\n", "jose@example.org")
	p.AwaitIdle(time.Minute)
	if d := p.Deliveries(); len(d) != 1 || d[0].Status != "sent" || !strings.Contains(d[0].Relay, port) {
		t.Errorf("%+v", d)
	}
}

// eximTransports are HestiaCP's two for local mail, in short, among others.
const eximTransports = `begin transports

local_delivery:
  driver = appendfile
  maildir_format
  group = mail

local_spam_delivery:
  driver = appendfile
  maildir_format

address_file:
  driver = appendfile
`

// TestMigrationOfHestiaCP follows docs/hestiacp.md with Exim in front: for domains with a passwd-file each, mail and
// spam are where Dovecot looks, and the page's edit of Exim's configuration and the way back do what they say.
func TestMigrationOfHestiaCP(t *testing.T) {
	t.Parallel()
	peer.Need(t, "exim4", "dovecot")
	dir := peer.MailDir(t)
	const domain = "xn--r8jz45g.example"
	home := filepath.Join(dir, "home")
	for _, d := range []string{home, home + "/mail", home + "/mail/" + domain, dir + "/exim4", dir + "/exim4/domains",
		dir + "/exim4/domains/" + domain, dir + "/units"} {
		mailUsersOwn(t, d)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("exim4/domains/"+domain+"/passwd", "alice:{PLAIN}x:mail:mail::"+home+":0:userdb_quota_rule=*:storage=0M\n")
	put("exim4/exim4.conf.template", eximTransports)
	here := strings.NewReplacer("/etc/exim4", dir+"/exim4", "/etc/doorstep", dir, "/usr/local/sbin", dir,
		"/etc/systemd/system", dir+"/units", "systemctl restart exim4\n", "",
		`"systemd:lmtp"`, fmt.Sprintf("%q\nmode = \"0666\"", "unix:"+dir+"/lmtp"),
		"user   = \"doorstep\"\ngroup  = \"mail\"\nowners = true\n", "") // all of the files are MailUser's here
	script := func(name string) {
		t.Helper()
		out, err := exec.Command("sh", "-euc", here.Replace(recipe(t, "docs/hestiacp.md", name))).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	script("hestiacp domains")
	s := peer.StartDoorstep(t, dir, here.Replace(recipe(t, "docs/hestiacp.md", "hestiacp")))
	peer.AwaitListener(t, s, "unix", dir+"/lmtp")
	d := peer.StartDovecot(t, peer.DovecotConfig{
		Users: []peer.DovecotUser{{Name: "alice@" + domain, Maildir: home}}, UID: peer.MailUser, GID: peer.MailUser,
		Settings: []string{"mail_location = maildir:%h/mail/%d/%n"},
	})
	e := peer.StartExim(t, peer.EximConfig{Deliver: "unix:" + dir + "/lmtp"})
	inject(t, e.Addr, "Subject: hello\r\n\r\nHello.\r\n", "alice@"+domain)
	inject(t, e.Addr, "X-Spam-Status: Yes\r\nSubject: buy\r\n\r\nBuy.\r\n", "alice@"+domain)
	e.AwaitIdle(time.Minute)
	imap, err := peer.DialIMAP(d.Addr, "alice@"+domain, peer.Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"INBOX", "Spam"} {
		if n, err := imap.Examine(folder); err != nil || n != 1 {
			t.Errorf("%s: %d messages, %v", folder, n, err)
		}
	}
	if err := imap.Logout(); err != nil {
		t.Error(err)
	}

	script("hestiacp switch")
	text, err := os.ReadFile(dir + "/exim4/exim4.conf.template")
	if err != nil {
		t.Fatal(err)
	}
	lmtp := ":\n  driver = lmtp\n  socket = /run/doorstep/lmtp.sock\n  group = doorstep\n  batch_max = 100\n\n"
	if want := "begin transports\n\nlocal_delivery" + lmtp + "local_spam_delivery" + lmtp +
		"address_file:\n  driver = appendfile\n"; string(text) != want {
		t.Errorf("Exim's transports are\n%s", text)
	}
	script("hestiacp back")
	if text, err := os.ReadFile(dir + "/exim4/exim4.conf.template"); err != nil || string(text) != eximTransports {
		t.Errorf("Exim's transports are %v\n%s", err, text)
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
	result, err := c.Send(t.Context(), client.Message{To: client.To(to...), Content: strings.NewReader(text),
		Size: int64(len(text))})
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
