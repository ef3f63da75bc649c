package hosting

import (
	"fmt"
	"strings"

	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A project manages accounts in tables of its own.
type project struct {
	schema  string
	servers []string // that it runs on
	suite   directorytest.Suite
	// fill returns the statements that write a world as the project does.
	fill func(w directorytest.World) []string
	// extras are rows that are there in real life: what is switched off, only backed up, or goes
	// elsewhere. checkExtras says what is to be made of them.
	extras []string
}

// knowsAll are the suite's flags for a project with domains, aliases and catch-alls.
var knowsAll = directorytest.Suite{Aliases: true, Domains: true, CatchAlls: true, NoHomes: true, Lists: true}

var projects = []project{
	{schema: "postfixadmin", servers: []string{"postgres", "mysql"}, suite: withMailboxes(knowsAll),
		fill: fillPostfixAdmin, extras: []string{
			"INSERT INTO domain (domain, description, transport, active, backupmx) VALUES ('off.example', '', '', '0', '0'), " +
				"('backup.example', '', 'relay:backup', '1', '1'), ('offalias.example', '', '', '0', '0')",
			"INSERT INTO alias_domain (alias_domain, target_domain, active) VALUES ('offalias.example', 'dst.example', '0')",
			"INSERT INTO alias (address, goto, domain, active) VALUES ('offalias@dst.example', 'alice@dst.example', " +
				"'dst.example', '0')",
			"INSERT INTO alias (address, goto, domain) VALUES ('away@dst.example', 'a@elsewhere.example, alice@dst.example', " +
				"'dst.example'), ('outside@dst.example', 'a@elsewhere.example', 'dst.example')",
		}},
	{schema: "mailcow", servers: []string{"mysql"}, suite: knowsAll, fill: fillMailcow, extras: []string{
		"INSERT INTO domain (domain, active) VALUES ('off.example', 0)",
		"INSERT INTO domain (domain, backupmx) VALUES ('backup.example', 1)",
		"INSERT INTO alias_domain (alias_domain, target_domain, active) VALUES ('offalias.example', 'dst.example', 0)",
		"INSERT INTO alias (address, goto, domain, active) VALUES ('offalias@dst.example', 'alice@dst.example', " +
			"'dst.example', 0)",
		"INSERT INTO alias (address, goto, domain) VALUES ('away@dst.example', 'a@elsewhere.example,alice@dst.example', " +
			"'dst.example'), ('outside@dst.example', 'a@elsewhere.example', 'dst.example')",
		"INSERT INTO mailbox (username, password, local_part, domain, kind) VALUES ('room@dst.example', '', 'room', " +
			"'dst.example', 'location')",
		"INSERT INTO domain (domain, backupmx, relay_all_recipients, relay_unknown_only) VALUES " +
			"('split.example', 1, 1, 1), ('relay.example', 1, 1, 0)",
		"INSERT INTO mailbox (username, password, local_part, domain, active) VALUES " +
			"('nologin@dst.example', '', 'nologin', 'dst.example', 2), " +
			"('dave@split.example', '', 'dave', 'split.example', 1), ('dave@relay.example', '', 'dave', 'relay.example', 1)",
	}},
	{schema: "iredmail", servers: []string{"postgres", "mysql"}, suite: withHomes(knowsAll), fill: fillIRedMail,
		extras: []string{
			"INSERT INTO domain (domain, active) VALUES ('off.example', 0)",
			"INSERT INTO domain (domain, backupmx) VALUES ('backup.example', 1)",
			"INSERT INTO alias_domain (alias_domain, target_domain, active) VALUES ('offalias.example', 'dst.example', 0)",
			"INSERT INTO forwardings (address, forwarding, domain, is_list, active) VALUES ('offalias@dst.example', " +
				"'alice@dst.example', 'dst.example', 1, 0)",
			"INSERT INTO forwardings (address, forwarding, domain, is_alias) VALUES ('away@dst.example', 'alice@dst.example', " +
				"'dst.example', 1), ('away@dst.example', 'a@elsewhere.example', 'dst.example', 1), " +
				"('outside@dst.example', 'a@elsewhere.example', 'dst.example', 1)",
			"INSERT INTO forwardings (address, forwarding, domain, is_forwarding) VALUES ('gone@dst.example', " +
				"'a@elsewhere.example', 'dst.example', 1)",
		}},
	{schema: "modoboa", servers: []string{"postgres", "mysql"}, suite: knowsAll, fill: fillModoboa, extras: []string{
		modoboaDomain(90, "off.example", "domain", false), modoboaDomain(91, "backup.example", "relaydomain", true),
		modoboaDomain(92, "split.example", "relaydomain", true),
		modoboaUser(900, "dave@split.example"), modoboaMailbox(900, "dave", 92, 0, false),
		modoboaDomainAlias("offalias.example", 1, false),
		modoboaAlias(900, "offalias@dst.example", 1, false, false), modoboaAlias(901, "away@dst.example", 1, true, false),
		modoboaAlias(902, "outside@dst.example", 1, true, false), modoboaAlias(903, "gone@dst.example", 1, true, false),
		"UPDATE admin_alias SET expire_at = '2020-01-01 00:00:00' WHERE id = 903",
		"INSERT INTO modoboa_admin_aliasrecipient (alias_id, address) VALUES (900, 'alice@dst.example'), (901, " +
			"'alice@dst.example'), (901, 'a@elsewhere.example'), (902, 'a@elsewhere.example'), (903, 'alice@dst.example')",
	}},
}

func withMailboxes(s directorytest.Suite) directorytest.Suite { s.Mailboxes = true; return s }
func withHomes(s directorytest.Suite) directorytest.Suite     { s.NoHomes = false; return s }

// insert is an INSERT of strings and numbers.
func insert(table, columns string, values ...any) string {
	var list []string
	for _, v := range values {
		switch v := v.(type) {
		case string:
			list = append(list, "'"+strings.ReplaceAll(v, "'", "''")+"'")
		case bool:
			list = append(list, map[bool]string{true: "'1'", false: "'0'"}[v]) // a boolean, or a number
		default:
			list = append(list, fmt.Sprint(v))
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, columns, strings.Join(list, ", "))
}

// parts are those of an address.
func parts(text string) (local, domain string) {
	a, err := address.Parse(text)
	if err != nil {
		panic(err)
	}
	return a.Local, a.Domain
}

// quota is an account's, in a unit. A broken record has a negative one.
func quota(a directorytest.Account, unit int64) int64 {
	if a.Broken {
		return -5
	}
	return a.Quota.Bytes / unit
}

func fillPostfixAdmin(w directorytest.World) (list []string) {
	for _, d := range w.Domains {
		list = append(list, insert("domain", "domain, description, transport", d, "", "virtual"))
	}
	for alias, of := range w.DomainAliases {
		list = append(list, insert("domain", "domain, description, transport", alias, "", "virtual"),
			insert("alias_domain", "alias_domain, target_domain", alias, of))
	}
	for _, a := range w.Accounts {
		local, domain := parts(a.Address)
		maildir := domain + "/" + local + "/"
		if a.Mailbox != "" {
			maildir = a.Mailbox + "/"
		}
		list = append(list,
			insert("mailbox", "username, password, name, local_part, domain, maildir, quota, active", a.Address, "", "", local,
				domain, maildir, quota(a, 1), !a.Off),
			insert("alias", "address, goto, domain", a.Address, a.Address, domain))
	}
	return append(list, postfixAliases(w)...)
}

// postfixAliases are a row for each, the targets with commas between them.
func postfixAliases(w directorytest.World) (list []string) {
	for alias, targets := range w.Aliases {
		_, domain := parts(alias)
		list = append(list, insert("alias", "address, goto, domain", alias, strings.Join(targets, ","), domain))
	}
	for domain, target := range w.CatchAlls {
		list = append(list, insert("alias", "address, goto, domain", "@"+domain, target, domain))
	}
	return list
}

func fillMailcow(w directorytest.World) (list []string) {
	for _, d := range w.Domains {
		list = append(list, insert("domain", "domain", d))
	}
	for alias, of := range w.DomainAliases {
		list = append(list, insert("alias_domain", "alias_domain, target_domain", alias, of))
	}
	for _, a := range w.Accounts {
		local, domain := parts(a.Address)
		list = append(list,
			insert("mailbox", "username, password, local_part, domain, quota, active, attributes", a.Address, "", local, domain,
				quota(a, 1), !a.Off, `{"mailbox_format": "maildir:"}`),
			insert("alias", "address, goto, domain", a.Address, a.Address, domain))
	}
	return append(list, postfixAliases(w)...)
}

func fillIRedMail(w directorytest.World) (list []string) {
	for _, d := range w.Domains {
		list = append(list, insert("domain", "domain", d))
	}
	for alias, of := range w.DomainAliases {
		list = append(list, insert("alias_domain", "alias_domain, target_domain", alias, of))
	}
	const row = "address, forwarding, domain, is_list, is_forwarding"
	for _, a := range w.Accounts {
		local, domain := parts(a.Address)
		base, node, maildir := "/var/vmail", "vmail1", domain+"/"+local+"-2026.11.24.10.00.00/"
		if a.Home != "" {
			base, node, maildir = "/srv", "home", strings.TrimPrefix(a.Home, "/srv/home/")
		}
		list = append(list,
			insert("mailbox", "username, domain, storagebasedirectory, storagenode, maildir, quota, active", a.Address, domain,
				base, node, maildir, quota(a, 1<<20), !a.Off),
			insert("forwardings", row, a.Address, a.Address, domain, 0, 1))
	}
	for alias, targets := range w.Aliases {
		_, domain := parts(alias)
		list = append(list, insert("alias", "address, domain", alias, domain))
		for _, target := range targets {
			list = append(list, insert("forwardings", row, alias, target, domain, 1, 0))
		}
	}
	for domain, target := range w.CatchAlls {
		list = append(list, insert("forwardings", row, domain, target, domain, 0, 0))
	}
	return list
}

func fillModoboa(w directorytest.World) (list []string) {
	ids := map[string]int{}
	for i, d := range w.Domains {
		ids[d] = i + 1
		list = append(list, modoboaDomain(i+1, d, "domain", true))
	}
	n := 0
	alias := func(from string, internal bool, targets ...string) {
		n++
		_, domain, _ := strings.Cut(from, "@")
		list = append(list, modoboaAlias(n, from, ids[domain], true, internal))
		for _, target := range targets {
			list = append(list, insert("modoboa_admin_aliasrecipient", "alias_id, address", n, target))
		}
	}
	for name, of := range w.DomainAliases {
		list = append(list, modoboaDomainAlias(name, ids[of], true))
	}
	for i, a := range w.Accounts {
		local, domain := parts(a.Address)
		mailbox := func(id int) {
			list = append(list, modoboaUser(id, a.Address), modoboaMailbox(id, local, ids[domain], a.Quota.Bytes>>20, a.Off))
		}
		mailbox(i + 1)
		if a.Broken { // quotas cannot be negative; twice there is what nothing forbids
			mailbox(i + 101)
		}
		alias(a.Address, true, a.Address)
	}
	for from, targets := range w.Aliases {
		alias(from, false, targets...)
	}
	for domain, target := range w.CatchAlls {
		alias("@"+domain, false, target)
	}
	return list
}

// Django writes all columns: the tables have no defaults.

func modoboaDomain(id int, name, kind string, enabled bool) string {
	return insert("admin_domain", "id, name, quota, default_mailbox_quota, enabled, type, creation, last_modification",
		id, name, 0, 0, enabled, kind, moment, moment)
}

func modoboaDomainAlias(name string, target int, enabled bool) string {
	return insert("admin_domainalias", "name, enabled, target_id, creation, last_modification", name, enabled, target,
		moment, moment)
}

func modoboaUser(id int, address string) string {
	return insert("core_user", "id, password, username, email, is_staff, is_active, is_local, master_user", id, "",
		fmt.Sprintf("%s %d", address, id), address, false, true, true, false)
}

func modoboaMailbox(user int, local string, domain int, quota int64, sendOnly bool) string {
	return insert("admin_mailbox",
		"address, quota, use_domain_quota, domain_id, user_id, is_send_only, creation, last_modification",
		local, quota, false, domain, user, sendOnly, moment, moment)
}

func modoboaAlias(id int, address string, domain int, enabled, internal bool) string {
	return insert("admin_alias",
		"id, address, enabled, internal, description, domain_id, creation, last_modification",
		id, address, enabled, internal, "", domain, moment, moment)
}

// moment is when all rows were made.
const moment = "2026-11-28 10:00:00"
