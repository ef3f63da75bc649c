package hosting

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/ldap/ldaptest"
)

// TestStacksInLDAP is TestStacksInMariaDB for iRedMail's entries in OpenLDAP.
func TestStacksInLDAP(t *testing.T) {
	b := backend{server: "ldap"}
	password := filepath.Join(peer.Dir(t), "password")
	if err := errors.Join(os.WriteFile(password, []byte(ldaptest.Password), 0o600),
		os.Chown(password, peer.MailUser, peer.MailUser)); err != nil {
		t.Fatal(err)
	}
	s := ldaptest.Start(t, "")
	b.fill = func(entries ...string) {
		s.Stop()
		s.Add(strings.Join(entries, ""))
		s.Resume()
	}
	b.dovecot = peer.DovecotDatabase{Driver: "ldap", Lines: []string{
		"uris = " + s.URL, "dn = " + ldaptest.BindDN, "dnpass = " + ldaptest.Password, "ldap_version = 3",
		"base = " + ldaptest.Base, "scope = subtree", "deref = never",
	}}
	b.later = []string{"ldap_uris = " + s.URL, "ldap_auth_dn = " + ldaptest.BindDN,
		"ldap_auth_dn_password = " + ldaptest.Password, "ldap_base = " + ldaptest.Base}
	b.keys = strings.Join([]string{
		`driver = "ldap"`, `servers = ["` + s.URL + `"]`, `base = "` + ldaptest.Base + `"`,
		`bind_dn = "` + ldaptest.BindDN + `"`, `password_file = "` + password + `"`, "",
	}, "\n")
	run(t, iredmailLDAP, peer.BuildDoorstep(t, peer.MailDir(t)), b)
}

// iredmailLDAP: samples/dovecot/dovecot-ldap.conf.
var iredmailLDAP = stack{
	name: "iredmail in LDAP", path: "ROOT/{domain}/{local}/Maildir",
	project: project{
		schema: "iredmail",
		fill:   func(w directorytest.World) []string { return []string{ldaptest.IRedMail(w, "ROOT/vmail1")} },
		extras: []string{
			ldapDomain("off.example", "accountStatus", "disabled"),
			ldapDomain("backup.example", "accountStatus", "active", "domainBackupMX", "yes"),
			ldapAlias("offalias", "accountStatus", "disabled", "mailForwardingAddress", "alice@dst.example"),
			ldapAlias("away", "accountStatus", "active", "mailForwardingAddress", "alice@dst.example",
				"mailForwardingAddress", "a@elsewhere.example"),
			ldapAlias("outside", "accountStatus", "active", "mailForwardingAddress", "a@elsewhere.example"),
		},
	},
	query: map[string]string{"ldap": "user_filter = (&(objectClass=mailUser)(accountStatus=active)" +
		"(!(domainStatus=disabled))(enabledService=mail)(enabledService=%Ls%Lc)" +
		"(|(mail=%u)(&(enabledService=shadowaddress)(shadowAddress=%u))))\n" +
		"user_attrs = mail=user,=home=%L{ldap:homeDirectory}," +
		"=mail=%{ldap:mailboxFormat:maildir}:~/%{ldap:mailboxFolder:Maildir}/,=uid=8,=gid=8"},
	// samples/dovecot/dovecot-2.4-openldap.conf.
	later: map[string][]string{"ldap": {
		`mail_driver = %{userdb:mail_driver | default("maildir") | lower}`,
		`mail_path = %{userdb:mail_path | default("~/Maildir")}`,
		"userdb ldap {", "filter = (&(objectClass=mailUser)(accountStatus=active)(!(domainStatus=disabled))" +
			"(enabledService=mail)(enabledService=%{protocol}%{secured | lower})" +
			"(|(mail=%{user})(&(enabledService=shadowaddress)(shadowAddress=%{user}))))",
		"fields {", "user = %{ldap:mail | lower}", "home = %{ldap:homeDirectory | lower}",
		"mail_driver = %{ldap:mailboxFormat | default('maildir') | lower}",
		"mail_path = ~/%{ldap:mailboxFolder | default('Maildir')}", "uid = 8", "gid = 8", "}", "}",
	}},
	without: []string{"upper", "folder", "shout", "mdbox", "offmdbox", "nolmtp", "nodeliver"},
	rows: []string{
		ldapUser("upper", nil, "homeDirectory", "ROOT/vmail1/dst.example/U/P/P/Upper-2026.11.28/",
			"shadowAddress", "capital@dst.example"),
		ldapUser("folder", nil, "homeDirectory", "ROOT/vmail1/dst.example/folder/", "mailboxFolder", "Mail"),
		ldapUser("shout", nil, "homeDirectory", "ROOT/vmail1/dst.example/shout/", "mailboxFormat", "Maildir"),
		ldapUser("mdbox", nil, "homeDirectory", "ROOT/vmail1/dst.example/mdbox/", "mailboxFormat", "mdbox"),
		ldapUser("suspended", nil, "homeDirectory", "ROOT/vmail1/dst.example/suspended/", "domainStatus", "disabled"),
		ldapUser("homeless", nil, "storageBaseDirectory", "ROOT/vmail1", "mailMessageStore", "dst.example/homeless/"),
		ldapUser("nolmtp", []string{"deliver"}, "homeDirectory", "ROOT/vmail1/dst.example/nolmtp/"),
		ldapUser("nodeliver", []string{"lmtp"}, "homeDirectory", "ROOT/vmail1/dst.example/nodeliver/"),
	},
	want: expect(append(internationalized(), onlyMaildir, delivered("upper"), delivered("folder"), delivered("shout"),
		outcome{to: "capital@dst.example", code: 250, in: []string{"upper@dst.example"}, dovecot: 250},
		sendOnly("nolmtp"), sendOnly("suspended"),
		outcome{to: "nodeliver@dst.example", code: 550}, // which is Postfix' to ask
		outcome{to: "homeless@dst.example", code: 451, dovecot: 451, log: "has no homeDirectory"})...),
}

func ldapDomain(name string, attributes ...string) string {
	return ldaptest.Entry("mailDomain", "domainName", name, append(attributes, "enabledService", "mail")...)
}

func ldapAlias(local string, attributes ...string) string {
	return ldaptest.Entry("mailAlias", "mail", local+"@dst.example", append(attributes, "enabledService", "mail",
		"enabledService", "deliver")...)
}

// ldapUser has the services, all that it takes where that is nil.
func ldapUser(local string, services []string, attributes ...string) string {
	if services == nil {
		services = []string{"deliver", "lda", "lmtp"}
	}
	for _, service := range append(services, "mail", "imap", "imapsecured", "shadowaddress") {
		attributes = append(attributes, "enabledService", service)
	}
	return ldaptest.Entry("mailUser", "mail", local+"@dst.example", append(attributes, "accountStatus", "active")...)
}
