package dist

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestMigrationSteps follows docs/migration.md line by line on machines with Debian's Postfix, Dovecot and systemd:
// Dovecot delivers, Doorstep does after the page's commands, and Dovecot again after those of the way back.
func TestMigrationSteps(t *testing.T) {
	peer.Need(t, "postfix", "dovecot", "dovecot-lmtp", "systemd", "overlay", "dpkg-deb")
	deb := buildPackages(t, t.TempDir(), "1.0.0")[0]

	t.Run("accounts of the machine", func(t *testing.T) {
		t.Parallel()
		s := openOldSite(t, deb, `
useradd -m alice
cat >/etc/dovecot/dovecot.conf <<EOF
protocols = imap lmtp
mail_location = maildir:~/Maildir
auth_username_format = %Ln
passdb {
  driver = pam
}
userdb {
  driver = passwd
}
`+dovecotLMTP+`
EOF
postconf -e 'mydestination = example.org, mail.example.org, localhost'
postconf -e 'mailbox_transport = lmtp:unix:private/dovecot-lmtp'
`, "alice")
		s.deliver(t, "Dovecot")
		s.configure(t, "system")
		s.follow(t, "socket", "system service")
		// What decides elsewhere changes nothing here.
		s.run(t, "sh", "-c", "postconf -e 'virtual_transport = lmtp:unix:private/doorstep' && postfix reload")
		s.deliver(t, "Dovecot")
		s.follow(t, "system switch")
		s.deliver(t, "Doorstep")
		if owner := s.run(t, "sh", "-c", "stat -c %U:%a /home/alice/Maildir/new/*,S=* | sort -u"); owner != "alice:600\n" {
			t.Errorf("the messages are %q", owner)
		}
		s.follow(t, "system back")
		s.deliver(t, "Dovecot")
		s.checkContent(t)
	})

	t.Run("one user for all mail", func(t *testing.T) {
		t.Parallel()
		s := openOldSite(t, deb, `
useradd -r -m -d /srv/mail vmail
home=/srv/mail/example.org/alice
`+virtualDovecot, "alice@example.org")
		s.deliver(t, "Dovecot")
		s.configure(t, "plain")
		s.follow(t, "socket", "plain service")
		s.follow(t, "plain switch")
		s.deliver(t, "Doorstep")
		s.report(t)
		s.follow(t, "plain back")
		s.deliver(t, "Dovecot")

		// As in PostfixAdmin, iRedMail and modoboa, whose maps ask a database.
		s.run(t, "sh", "-c", `echo 'example.org lmtp:unix:private/dovecot-lmtp' >/etc/postfix/transport &&
			postconf -e 'transport_maps = texthash:/etc/postfix/transport'`)
		s.follow(t, "plain switch")
		s.deliver(t, "Dovecot")
		s.follow(t, "transport switch")
		s.deliver(t, "Doorstep")
		s.follow(t, "transport back")
		s.deliver(t, "Dovecot")
		s.checkContent(t)
	})

	t.Run("accounts in a database", func(t *testing.T) {
		t.Parallel()
		peer.Need(t, "mariadbd")
		s := openOldSite(t, deb, `
systemctl start mariadb
mariadb -e 'CREATE DATABASE vmail'
mariadb vmail <<'EOF'
`+tables(t, "iredmail.mysql.sql")+`
INSERT INTO domain (domain) VALUES ('example.org');
INSERT INTO mailbox (username, domain, storagebasedirectory, storagenode, maildir) VALUES
	('alice@example.org', 'example.org', '/var/vmail', 'vmail1', 'example.org/a/l/i/alice-2026.11.28.10.00.00/');
EOF
useradd -r -u 2000 -m -d /var/vmail vmail
home=/var/vmail/vmail1/example.org/a/l/i/alice-2026.11.28.10.00.00
`+virtualDovecot+`
echo 'example.org lmtp:unix:private/dovecot-lmtp' >/etc/postfix/transport
postconf -e 'transport_maps = texthash:/etc/postfix/transport'
`, "alice@example.org")
		s.deliver(t, "Dovecot")
		s.configure(t, "database")
		s.follow(t, "socket", "database service", "transport switch")
		s.deliver(t, "Doorstep")
		s.checkContent(t)
	})

	t.Run("PostfixAdmin", func(t *testing.T) {
		t.Parallel()
		peer.Need(t, "mariadbd")
		s := openOldSite(t, deb, `
systemctl start mariadb
mariadb -e 'CREATE DATABASE postfixadmin'
mariadb postfixadmin <<'EOF'
`+tables(t, "postfixadmin.mysql.sql")+`
INSERT INTO domain (domain, description, transport) VALUES ('example.org', '', 'virtual');
INSERT INTO mailbox (username, password, name, maildir, local_part, domain) VALUES
	('alice@example.org', '', '', 'example.org/alice/', 'alice', 'example.org');
INSERT INTO alias (address, goto, domain) VALUES ('alice@example.org', 'alice@example.org', 'example.org');
EOF
useradd -r -u 2000 -m -d /var/mail/vmail vmail
home=/var/mail/vmail/example.org/alice
`+virtualDovecot+`
sed -i 's,maildir:~/Maildir,maildir:~,' /etc/dovecot/dovecot.conf
echo 'example.org :' >/etc/postfix/transport # what PostfixAdmin's map has for "virtual"
postconf -e 'transport_maps = texthash:/etc/postfix/transport'
`, "alice@example.org")
		s.deliver(t, "Dovecot")
		s.configure(t, "postfixadmin")
		s.follow(t, "socket", "postfixadmin service", "plain switch")
		s.deliver(t, "Doorstep")
		s.follow(t, "plain back")
		s.deliver(t, "Dovecot")
		s.checkContent(t)
	})

	t.Run("modoboa", func(t *testing.T) {
		t.Parallel()
		peer.Need(t, "postgres")
		s := openOldSite(t, deb, `
systemctl start postgresql
su postgres -c 'createdb modoboa'
su postgres -c 'psql -q -v ON_ERROR_STOP=1 modoboa' <<'EOF'
`+tables(t, "modoboa.postgres.sql")+`
INSERT INTO admin_domain (id, name, quota, default_mailbox_quota, enabled, type, creation, last_modification)
	VALUES (1, 'example.org', 0, 0, true, 'domain', now(), now());
INSERT INTO core_user (id, password, username, email, is_staff, is_active, is_local, master_user)
	VALUES (1, '', 'alice@example.org', 'alice@example.org', false, true, true, false);
INSERT INTO admin_mailbox
	(address, quota, use_domain_quota, domain_id, user_id, is_send_only, creation, last_modification)
	VALUES ('alice', 0, false, 1, 1, false, now(), now());
EOF
useradd -r -u 2000 -m -d /srv/vmail vmail
home=/srv/vmail/example.org/alice
`+virtualDovecot+`
echo "query = SELECT 'lmtp:unix:private/dovecot-lmtp' FROM admin_domain" >/etc/postfix/sql-spliteddomains-transport.cf
`, "alice@example.org")
		s.deliver(t, "Dovecot")
		s.configure(t, "modoboa")
		s.follow(t, "socket", "modoboa service", "modoboa switch")
		s.run(t, "grep", "unix:private/doorstep", "/etc/postfix/sql-spliteddomains-transport.cf")
		s.deliver(t, "Doorstep")
		s.follow(t, "modoboa back")
		s.run(t, "grep", "unix:private/dovecot-lmtp", "/etc/postfix/sql-spliteddomains-transport.cf")
		s.deliver(t, "Dovecot")
		s.checkContent(t)
	})

	t.Run("HestiaCP", func(t *testing.T) {
		t.Parallel()
		s := openOldSite(t, deb, hestiaCP, "alice@example.org")
		s.page = readPage(t, "hestiacp.md")
		s.configure(t, "hestiacp")
		s.follow(t, "hestiacp domains", "hestiacp service")
		read := func(account string) string {
			said, err := s.try("doveadm", "search", "-u", account, "mailbox", "INBOX", "all")
			return fmt.Sprint(strings.TrimSpace(said), err)
		}
		if n := strings.Count(read("alice@example.org"), "\n"); n != 0 || read("alice@example.org") == "<nil>" {
			t.Errorf("Dovecot sees %q", read("alice@example.org"))
		}
		if owner := s.run(t, "sh", "-c", "stat -c %U:%G /home/shop/mail/example.org/alice/new/*"); owner != "shop:mail\n" {
			t.Errorf("the message is %q", owner)
		}
		// A domain comes, as the panel makes it.
		s.shell(t, `mkdir /home/shop/conf/mail/new.example
install -d -o shop -g mail -m 770 /home/shop/mail/new.example /home/shop/mail/new.example/bob
install -o dovecot -g mail -m 660 /dev/null /home/shop/conf/mail/new.example/passwd
ln -s /home/shop/conf/mail/new.example /etc/exim4/domains/new.example
echo 'bob:{PLAIN}x:shop:mail::/home/shop:1:userdb_quota_rule=*:storage=1M' >>/home/shop/conf/mail/new.example/passwd
`)
		peer.Await(t, patience, "mail for the new domain", func() bool {
			_, err := s.try("doorstep", "send", "--server", "unix:/run/doorstep/lmtp.sock", "--to", "bob@new.example")
			return err == nil
		})
		if got := read("bob@new.example"); got == "<nil>" {
			t.Error("Dovecot does not see bob's message")
		}
	})
}

// tables makes those of a project.
func tables(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "cmd/internal/hosting/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// hestiaCP makes a customer, a mail domain and an account as HestiaCP does (v-add-mail-domain, v-add-mail-account),
// and Dovecot as it sets it up.
const hestiaCP = `
useradd -m shop
chmod 755 /home/shop
mkdir -p /home/shop/conf/mail/example.org /etc/exim4/domains
chmod 751 /home/shop/conf /home/shop/conf/mail /home/shop/conf/mail/example.org
install -d -m 751 /home/shop/mail
install -d -o shop -g mail -m 770 /home/shop/mail/example.org
install -d -o shop -g mail -m 700 /home/shop/mail/example.org/alice
echo 'alice:{PLAIN}x:shop:mail::/home/shop:0:userdb_quota_rule=*:storage=0M' >/home/shop/conf/mail/example.org/passwd
chown dovecot:mail /home/shop/conf/mail/example.org/passwd
chmod 660 /home/shop/conf/mail/example.org/passwd
ln -s /home/shop/conf/mail/example.org /etc/exim4/domains/example.org
cat >/etc/dovecot/dovecot.conf <<EOF
protocols = imap
ssl = no
auth_username_format = %Lu
mail_privileged_group = mail
mail_access_groups = mail
mail_location = maildir:%h/mail/%d/%n
passdb {
  driver = passwd-file
  args = username_format=%n /etc/exim4/domains/%d/passwd
}
userdb {
  driver = passwd-file
  args = username_format=%n /etc/exim4/domains/%d/passwd
}
EOF
`

// virtualDovecot gives alice of example.org, whose home is $home, a mailbox of vmail's.
const virtualDovecot = `
install -d -o vmail -g vmail "$(dirname $home)"
chown -R vmail:vmail ~vmail
echo "alice@example.org:{PLAIN}secret:$(id -u vmail):$(id -g vmail)::$home::" >/etc/dovecot/users
chown root:dovecot /etc/dovecot/users
chmod 640 /etc/dovecot/users
cat >/etc/dovecot/dovecot.conf <<EOF
protocols = imap lmtp
mail_location = maildir:~/Maildir
first_valid_uid = 100
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
` + dovecotLMTP + `
EOF
postconf -e 'virtual_mailbox_domains = example.org' 'virtual_transport = lmtp:unix:private/dovecot-lmtp'
`

// dovecotLMTP is how Dovecot is usually put behind Postfix.
const dovecotLMTP = `ssl = no
service lmtp {
  unix_listener /var/spool/postfix/private/dovecot-lmtp {
    user = postfix
    group = postfix
    mode = 0600
  }
}
`

// An oldSite is a machine on which Postfix hands mail over to Dovecot, and on which Doorstep is installed and does not
// run yet.
type oldSite struct {
	*machine
	page string
	user string // the account, as Dovecot calls it
	sent int    // messages so far
}

// openOldSite boots one; setup are commands of a shell.
func openOldSite(t *testing.T, deb, setup, user string) *oldSite {
	t.Helper()
	s := &oldSite{machine: boot(t), user: user, page: readPage(t, "migration.md")}
	run(t, ".", "cp", deb, filepath.Join(s.media, "doorstep.deb"))
	s.shell(t, setup+"dpkg -i /media/doorstep.deb\nsystemctl start dovecot postfix\n")
	return s
}

// readPage is a page of the manual.
func readPage(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(repository, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// shell runs commands as one who pastes them into a root shell, and fails at the first that fails.
func (s *oldSite) shell(t *testing.T, commands string) {
	t.Helper()
	s.write(t, "/tmp/commands", commands)
	t.Log(s.run(t, "sh", "-eux", "/tmp/commands"))
}

// block is what the page has after a mark.
func (s *oldSite) block(t *testing.T, name, kind string) string {
	t.Helper()
	found := regexp.MustCompile("(?s)<!-- test: " + name + " -->\n```" + kind + "\n(.*?)```").FindStringSubmatch(s.page)
	if found == nil {
		t.Fatalf("no block %s", name)
	}
	return found[1]
}

// configure writes the page's configuration.
func (s *oldSite) configure(t *testing.T, name string) {
	t.Helper()
	s.write(t, configuration, s.block(t, name, "toml"))
}

// follow runs blocks of the page.
func (s *oldSite) follow(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		s.shell(t, s.block(t, name, "sh"))
	}
}

// deliver hands a message to Postfix, and wants it to be delivered by one of the two, and to be read by Dovecot.
func (s *oldSite) deliver(t *testing.T, by string) {
	t.Helper()
	s.sent++
	subject := fmt.Sprintf("message %d", s.sent)
	ours := func() int { return strings.Count(s.journal(t), "msg=delivered") }
	before := ours()
	s.run(t, "sh", "-c", "printf 'Subject: "+subject+"\n\nHello.\n' | sendmail -f root@example.org alice@example.org")
	peer.Await(t, patience, subject+" in the mailbox", func() bool {
		said, _ := s.try("doveadm", "search", "-u", s.user, "mailbox", "INBOX", "subject", subject) // none yet is an error
		return strings.TrimSpace(said) != ""
	})
	if after := ours(); (after > before) != (by == "Doorstep") {
		t.Errorf("%s is not by %s:\n%s", subject, by,
			s.run(t, "doveadm", "fetch", "-u", s.user, "hdr", "mailbox", "INBOX", "subject", subject))
	}
}

// report follows docs/dsn.md, and wants a report of success by Doorstep in the mailbox of a sender who asks for it.
func (s *oldSite) report(t *testing.T) {
	t.Helper()
	page := s.page
	defer func() { s.page = page }()
	s.page = readPage(t, "dsn.md")
	s.write(t, "/tmp/dsn", s.block(t, "dsn", "toml"))
	s.shell(t, "cat /tmp/dsn >>"+configuration+"\n")
	s.follow(t, "dsn postfix", "dsn postfix group")
	s.run(t, "doorstep", "send", "--protocol", "esmtp", "--server", "tcp:127.0.0.1:25", "-f", "alice@example.org", "-t",
		"alice@example.org", "--notify", "success", "--envid", "asked")
	peer.Await(t, patience, "a report in the mailbox", func() bool {
		said, _ := s.try("doveadm", "fetch", "-u", s.user, "text", "mailbox", "INBOX", "subject", "was delivered")
		return strings.Contains(said, "Action: delivered") && strings.Contains(said, "Original-Envelope-Id: asked") &&
			strings.Contains(said, "Reporting-MTA: dns; mail.example.org")
	})
	if said := s.journal(t, "-u", "doorstep"); strings.Count(said, `msg="report sent"`) != 1 {
		t.Errorf("Doorstep says %s", said)
	}
}

// checkContent wants neither Doorstep nor Postfix to have warned of anything.
func (s *oldSite) checkContent(t *testing.T) {
	t.Helper()
	said := s.run(t, "sh", "-c", "journalctl --no-pager -q -o cat -u doorstep -p warning; "+
		"journalctl --no-pager -q -o cat -t postfix/lmtp -t postfix/local -t postfix/trivial-rewrite -g warning: || true")
	if said != "" {
		t.Errorf("warned of:\n%s", said)
	}
}
