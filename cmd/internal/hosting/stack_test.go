package hosting

import (
	"fmt"
	"slices"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
)

// A stack is a project with a Dovecot that finds accounts as the project's own does. In its texts ROOT is
// the directory of all mail, and ELSEWHERE one beside it.
type stack struct {
	name string
	project
	path string // store.path
	// queries is the block of mysql.md that has own queries, in the place of schema.
	queries string
	// settings are Dovecot's, and query is how its userdb asks, by server where they differ.
	settings []string
	query    map[string]string
	// later are the settings for Dovecot 2.4, by server, where the project has some.
	later map[string][]string
	// rows are added to those of the site, of whose accounts those with some local parts are left out.
	rows, without []string
	want          []outcome
}

// An outcome is what comes of a message.
type outcome struct {
	to       string
	code     int
	enhanced string   // "" for any
	in       []string // whose inboxes have it then
	size     int      // of the message, beside its header
	log      string   // is in Doorstep's log then
	// dovecot is the code of Dovecot's own LMTP server for this account; 0 where it is not asked: who expands
	// aliases before it is the MTA.
	dovecot int
}

// site is what all stacks host.
var site = directorytest.World{
	Domains:       []string{"dst.example", "例え.example", "other.example"},
	DomainAliases: map[string]string{"alias.example": "dst.example"},
	Accounts: append(accounts("alice", "bob", "upper", "mdbox", "offmdbox", "moved", "bare", "noprefix", "relative",
		"folder",
		"format", "shout", "free", "nolmtp", "nodeliver", "sendonly", "inactive"),
		directorytest.Account{Address: "full@dst.example", Quota: directory.Quota{Bytes: 1 << 20}},
		directorytest.Account{Address: "off@dst.example", Off: true},
		directorytest.Account{Address: "josé@dst.example"},
		directorytest.Account{Address: "用户@例え.example"},
		directorytest.Account{Address: "anna@例え.example"},
		directorytest.Account{Address: "carol@other.example"},
		directorytest.Account{Address: "off@other.example", Off: true},
	),
	Aliases: map[string][]string{
		"sales@dst.example": {"alice@dst.example"},
		"team@dst.example":  {"alice@dst.example", "bob@dst.example", "off@dst.example"},
	},
	CatchAlls: map[string]string{"other.example": "carol@other.example"},
}

func accounts(names ...string) (list []directorytest.Account) {
	for _, name := range names {
		list = append(list, directorytest.Account{Address: name + "@dst.example"})
	}
	return list
}

// anywhere are the outcomes that all stacks have.
var anywhere = []outcome{
	delivered("alice"),
	{to: "ALICE@dst.example", code: 250, in: []string{"alice@dst.example"}, dovecot: 250},
	{to: "sales@dst.example", code: 250, in: []string{"alice@dst.example"}},
	{to: "Team@dst.example", code: 250, in: []string{"alice@dst.example", "bob@dst.example"}},
	{to: "alice@alias.example", code: 250, in: []string{"alice@dst.example"}},
	{to: "anybody@other.example", code: 250, in: []string{"carol@other.example"}},
	{to: "off@other.example", code: 550, dovecot: 550}, // though there is a catch-all
	{to: "off@dst.example", code: 550, dovecot: 550},
	{to: "nobody@dst.example", code: 550, enhanced: "5.1.1", dovecot: 550},
	{to: "away@dst.example", code: 451},     // one of its targets is elsewhere
	{to: "outside@dst.example", code: 451},  // all are
	{to: "offalias@dst.example", code: 550}, // not active
	{to: "alice@off.example", code: 550},
	{to: "alice@backup.example", code: 550},
	{to: "alice@offalias.example", code: 550},
	{to: "full@dst.example", code: 452, size: 2 << 20},
	{to: "josé@dst.example", code: 250, in: []string{"josé@dst.example"}}, // Dovecot's LMTP knows no SMTPUTF8
	{to: "josé@alias.example", code: 250, in: []string{"josé@dst.example"}},
	{to: "jose@dst.example", code: 550}, // though collations say that it is the same: Dovecot takes it
	{to: "anna@例え.example", code: 250, in: []string{"anna@xn--r8jz45g.example"}},
	{to: "anna@XN--r8jz45g.example", code: 250, in: []string{"anna@xn--r8jz45g.example"}, dovecot: 250},
	{to: "jemand@例え.example", code: 550},
}

// delivered is the outcome for an account whose mail its reader finds.
func delivered(local string) outcome {
	address := local + "@dst.example"
	return outcome{to: address, code: 250, in: []string{address}, dovecot: 250}
}

// internationalized are the outcomes for an account in an internationalized domain, which is there in A-labels.
func internationalized() []outcome {
	in := []string{"用户@xn--r8jz45g.example"}
	return []outcome{
		{to: "用户@例え.example", code: 250, in: in}, {to: "用户@xn--r8jz45g.example", code: 250, in: in},
	}
}

// onlyMaildir is the outcome for an account in a format that Dovecot writes and Doorstep does not.
var onlyMaildir = outcome{to: "mdbox@dst.example", code: 451, dovecot: 250, log: "only Maildir can be written"}

// sendOnly is the outcome for an account that only sends, which Dovecot does not know for LMTP.
func sendOnly(local string) outcome {
	return outcome{to: local + "@dst.example", code: 550, dovecot: 550}
}

func expect(more ...outcome) []outcome { return slices.Concat(anywhere, more) }

// set is an UPDATE of one mailbox.
func set(assignment, local string) string {
	return fmt.Sprintf("UPDATE mailbox SET %s WHERE username = '%s@dst.example'", assignment, local)
}

func named(schema string) project {
	return projects[slices.IndexFunc(projects, func(p project) bool { return p.schema == schema })]
}

// mailcow: docker-entrypoint.sh of its Dovecot. Its volume is mounted elsewhere here.
var mailcow = stack{
	name: "mailcow", project: named("mailcow"), path: "ROOT/{domain}/{local}/Maildir",
	settings: []string{"mail_home = ROOT/%d/%n", "mail_location = maildir:~/"},
	query: map[string]string{"mysql": `user_query = SELECT CONCAT(JSON_UNQUOTE(JSON_VALUE(attributes, '$.mailbox_format')), \
		REPLACE(mailbox_path_prefix, '/var/vmail/', 'ROOT/'), '%d/%n/Maildir:INDEX=ROOT/index/%u') AS mail, \
		'%s' AS protocol, 8 AS uid, 8 AS gid FROM mailbox WHERE username = '%u' AND (active = '1' OR active = '2')`},
	rows: []string{
		set("username = 'Upper@dst.example', local_part = 'Upper'", "upper"),
		set("mailbox_path_prefix = 'ELSEWHERE/'", "moved"),
		set("mailbox_path_prefix = NULL", "noprefix"),
		set("mailbox_path_prefix = 'vmail/'", "relative"),
		set("attributes = '{}'", "bare"),
		set(`attributes = '{"force_pw_update": "0", "mailbox_format": "mdbox:"}'`, "mdbox"),
		set(`active = 0, attributes = '{"mailbox_format": "mdbox:"}'`, "offmdbox"),
		set("quota = -1", "free"),
	},
	want: expect(append(internationalized(), onlyMaildir, delivered("upper"), delivered("moved"), delivered("noprefix"),
		delivered("bare"), delivered("free"), delivered("nologin"), // active = 2
		outcome{to: "relative@dst.example", code: 451}, outcome{to: "offmdbox@dst.example", code: 550, dovecot: 550},
		outcome{to: "room@dst.example", code: 550}, // Postfix drops its mail
		// Postfix relays what is for others in this domain, and hands over what is for its mailboxes.
		outcome{to: "dave@split.example", code: 250, in: []string{"dave@split.example"}, dovecot: 250},
		outcome{to: "nobody@split.example", code: 550, dovecot: 550},
		outcome{to: "dave@relay.example", code: 550})...), // in this one it relays all
}

// iredmail: samples/dovecot/dovecot-2.4-{mariadb,pgsql}.conf, in the words of Dovecot 2.3.
var iredmail = stack{
	name: "iredmail", project: named("iredmail"), path: "ROOT/{domain}/{local}/Maildir",
	query: both(`user_query = SELECT LOWER(CONCAT(mailbox.storagebasedirectory, '/', mailbox.storagenode, '/', mailbox.maildir)) AS home, \
		CONCAT(LOWER(COALESCE(NULLIF(mailbox.mailboxformat, ''), 'maildir')), ':~/', \
			COALESCE(NULLIF(mailbox.mailboxfolder, ''), 'Maildir')) AS mail, 8 AS uid, 8 AS gid FROM mailbox, domain \
		WHERE mailbox.username = '%u' AND mailbox.enable%Ls%Lc = 1 AND mailbox.active = 1 AND mailbox.domain = domain.domain \
			AND domain.backupmx = 0 AND domain.active = 1`),
	later: map[string][]string{
		"mysql":    iredmailLater("`enable%{protocol | lower}%{secured | lower}`"),
		"postgres": iredmailLater(`"enable%{protocol | lower}%{secured | lower}"`),
	},
	rows: []string{
		"UPDATE mailbox SET storagebasedirectory = 'ROOT'",
		set("maildir = 'dst.example/U/P/P/Upper-2026.11.28.07.00.00/', mailboxfolder = 'Mail'", "upper"),
		set("mailboxformat = 'mdbox', mailboxfolder = 'mdbox'", "mdbox"),
		set("mailboxformat = 'mdbox', active = 0", "offmdbox"),
		set("mailboxfolder = ''", "folder"),
		set("mailboxformat = ''", "format"),
		set("mailboxformat = 'Maildir'", "shout"),
		set("storagenode = ''", "moved"),
		set("enablelmtp = 0", "nolmtp"),
		set("enabledeliver = 0", "nodeliver"),
		set("quota = -1", "free"),
	},
	want: expect(append(internationalized(), onlyMaildir, delivered("upper"), delivered("folder"), delivered("format"),
		delivered("shout"), delivered("moved"), delivered("free"), sendOnly("nolmtp"),
		outcome{to: "nodeliver@dst.example", code: 550}, // which is Postfix' to ask
		outcome{to: "offmdbox@dst.example", code: 550, dovecot: 550})...),
}

func iredmailLater(enabled string) []string {
	return []string{
		`mail_driver = %{userdb:mail_driver | default("maildir") | lower}`,
		`mail_path = %{userdb:mail_path | default("~/Maildir")}`,
		"userdb sql {", `query = SELECT LOWER(CONCAT(mailbox.storagebasedirectory, '/', mailbox.storagenode, '/', \
				mailbox.maildir)) AS home, 8 AS uid, 8 AS gid, \
				COALESCE(NULLIF(mailbox.mailboxformat, ''), 'maildir') AS mail_driver, \
				CONCAT('~/', COALESCE(NULLIF(mailbox.mailboxfolder, ''), 'Maildir')) AS mail_path FROM mailbox, domain \
			WHERE mailbox.username = '%{user | lower}' AND mailbox.domain = '%{user | domain | lower}' \
				AND mailbox.` + enabled + ` = 1 AND mailbox.domain = domain.domain AND domain.backupmx = 0 \
				AND domain.active = 1 AND mailbox.active = 1`, "}",
	}
}

// modoboa: the installer's dovecot-sql-{mysql,postgres}.conf.ext and 10-mail.conf.
var modoboa = stack{
	name: "modoboa", project: named("modoboa"), path: "ROOT/{domain}/{local}/Maildir",
	settings: []string{"mail_location = maildir:~/Maildir"},
	query: both(`user_query = SELECT 'ROOT/%d/%n' AS home, 8 AS uid, 8 AS gid FROM admin_mailbox mb \
		JOIN admin_domain dom ON mb.domain_id = dom.id JOIN core_user u ON u.id = mb.user_id \
		WHERE (NOT mb.is_send_only OR '%s' NOT IN ('imap', 'pop3', 'lmtp')) AND mb.address = '%n' AND dom.name = '%d'`),
	later: map[string][]string{"mysql": modoboaLater, "postgres": modoboaLater},
	rows:  []string{"UPDATE core_user SET is_active = '0' WHERE email = 'inactive@dst.example'"},
	want: expect(append(internationalized(), delivered("inactive"), // who cannot log in
		outcome{to: "off@dst.example", code: 550, enhanced: "5.1.1", dovecot: 550}, // which only sends
		outcome{to: "gone@dst.example", code: 550},                                 // expired
		// Postfix relays what is for others in this domain, and hands over what is for its mailboxes.
		outcome{to: "dave@split.example", code: 250, in: []string{"dave@split.example"}, dovecot: 250},
		outcome{to: "nobody@split.example", code: 550, dovecot: 550})...),
}

var modoboaLater = []string{
	"mail_home = ROOT/%{user | domain}/%{user | username}", "mail_path = %{home}/Maildir",
	"userdb sql {", `query = SELECT 'ROOT/%{user | domain}/%{user | username}' AS home, 8 AS uid, 8 AS gid \
		FROM admin_mailbox mb JOIN admin_domain dom ON mb.domain_id = dom.id JOIN core_user u ON u.id = mb.user_id \
		WHERE (NOT mb.is_send_only OR '%{protocol}' NOT IN ('imap', 'pop3', 'lmtp')) \
			AND mb.address = '%{user | username}' AND dom.name = '%{user | domain}'`, "}",
}

// postfixAdmin: DOCUMENTS/DOVECOT.txt, where the home is the Maildir.
var postfixAdmin = stack{
	name: "postfixadmin", project: named("postfixadmin"), path: "ROOT/{domain}/{local}",
	query: map[string]string{
		"mysql": `user_query = SELECT CONCAT('ROOT/', maildir) AS home, 8 AS uid, 8 AS gid \
			FROM mailbox WHERE username = '%u' AND active = '1'`,
		"postgres": postfixAdminHome, "sqlite": postfixAdminHome,
	},
	rows: []string{
		set("maildir = 'dst.example/Upper/'", "upper"), set("maildir = 'dst.example//m/moved'", "moved"),
		set("quota = -1", "free"),
		set("active = '0', smtp_active = '1'", "sendonly"),
	},
	without: []string{"用户"}, // which latin1 does not have
	want:    expect(delivered("upper"), delivered("moved"), delivered("free"), sendOnly("sendonly")),
}

const postfixAdminHome = `user_query = SELECT 'ROOT/' || maildir AS home, 8 AS uid, 8 AS gid \
	FROM mailbox WHERE username = '%u' AND active = '1'`

// postfixAdminFormats: DOCUMENTS/DOVECOT-2.4.md, with its optional column for the format.
var postfixAdminFormats = stack{
	name: "postfixadmin with mail_format", project: named("postfixadmin"),
	path: "ROOT/{domain}/{local}", queries: "postfixadmin formats",
	query: both(`user_query = SELECT 'ROOT/%d/%n' AS home, 8 AS uid, 8 AS gid, \
		CASE WHEN mail_format = 'mdbox' THEN 'mdbox:ROOT/%d/%n' ELSE 'maildir:ROOT/%d/%n' END AS mail \
		FROM mailbox WHERE username = '%u' AND active = '1'`),
	later: map[string][]string{"mysql": {
		"mail_path = ROOT/%{user | domain}/%{user | username}", "userdb sql {",
		`query = SELECT 'ROOT/%{user | domain}/%{user | username}' AS home, 8 AS uid, 8 AS gid, \
			CASE WHEN mail_format = 'mdbox' THEN 'mdbox' ELSE 'maildir' END AS mail_driver, \
			CONCAT('ROOT/', '%{user | domain}/', '%{user | username}') AS mail_path \
			FROM mailbox WHERE username = '%{user}' AND active = '1'`, "}",
	}},
	rows: []string{
		"ALTER TABLE mailbox ADD COLUMN mail_format varchar(16) NOT NULL DEFAULT 'maildir'",
		set("mail_format = 'mdbox'", "mdbox"), set("maildir = 'dst.example/Upper/'", "upper"),
	},
	without: []string{"用户"},
	want:    []outcome{delivered("alice"), delivered("upper"), onlyMaildir},
}

func both(query string) map[string]string {
	return map[string]string{"mysql": query, "postgres": query}
}
