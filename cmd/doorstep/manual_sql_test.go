package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// hosted is one and the same small site in the tables of each project: two domains, an account
// with a quota of 2 GiB, an alias and a catch-all.
var hosted = map[string][]string{
	"doorstep": {
		"INSERT INTO domain VALUES ('example.org', 'example.org', NULL), ('example.net', 'example.net', 'example.org')",
		"INSERT INTO account (domain_key, local_key, address, quota) VALUES ('example.org', 'alice', 'alice@example.org', " +
			"2147483648)",
		"INSERT INTO alias VALUES ('example.org', 'sales', 'sales@example.org', 'alice@example.org'), ('example.org', '', " +
			"'@example.org', 'alice@example.org')",
	},
	"postfixadmin": {
		"INSERT INTO domain (domain, description, transport) VALUES ('example.org', '', ''), ('example.net', '', '')",
		"INSERT INTO alias_domain (alias_domain, target_domain) VALUES ('example.net', 'example.org')",
		"INSERT INTO mailbox (username, password, name, maildir, quota, local_part, domain) VALUES ('alice@example.org', " +
			"'', '', 'example.org/alice/', 2147483648, 'alice', 'example.org')",
		"INSERT INTO alias (address, goto, domain) VALUES ('alice@example.org', 'alice@example.org', 'example.org'), " +
			"('sales@example.org', 'alice@example.org', 'example.org'), ('@example.org', 'alice@example.org', 'example.org')",
	},
	"mailcow": {
		"INSERT INTO domain (domain) VALUES ('example.org')",
		"INSERT INTO alias_domain (alias_domain, target_domain) VALUES ('example.net', 'example.org')",
		"INSERT INTO mailbox (username, password, quota, local_part, domain, attributes) VALUES ('alice@example.org', '', " +
			"2147483648, 'alice', 'example.org', '{\"mailbox_format\": \"maildir:\"}')",
		"INSERT INTO alias (address, goto, domain) VALUES ('alice@example.org', 'alice@example.org', 'example.org'), " +
			"('sales@example.org', 'alice@example.org', 'example.org'), ('@example.org', 'alice@example.org', 'example.org')",
	},
	"iredmail": {
		"INSERT INTO domain (domain) VALUES ('example.org')",
		"INSERT INTO alias_domain (alias_domain, target_domain) VALUES ('example.net', 'example.org')",
		"INSERT INTO mailbox (username, storagebasedirectory, storagenode, maildir, quota, domain) VALUES " +
			"('alice@example.org', '/var/vmail', 'vmail1', 'example.org/alice/', 2048, 'example.org')",
		"INSERT INTO forwardings (address, forwarding, domain, is_forwarding) VALUES ('alice@example.org', " +
			"'alice@example.org', 'example.org', 1)",
		"INSERT INTO forwardings (address, forwarding, domain, is_alias) VALUES ('sales@example.org', 'alice@example.org', " +
			"'example.org', 1)",
		"INSERT INTO forwardings (address, forwarding, domain) VALUES ('example.org', 'alice@example.org', 'example.org')",
	},
	"modoboa": {
		"INSERT INTO core_user (id, password, username, email, is_staff, is_active, is_local, master_user) VALUES (1, '', " +
			"'alice@example.org', 'alice@example.org', '0', '1', '1', '0')",
		"INSERT INTO admin_domain (id, name, quota, default_mailbox_quota, enabled, type, creation, last_modification) " +
			"VALUES (1, 'example.org', 0, 0, '1', 'domain', '2026-11-28', '2026-11-28')",
		"INSERT INTO admin_domainalias (name, enabled, target_id, creation, last_modification) VALUES ('example.net', '1', " +
			"1, '2026-11-28', '2026-11-28')",
		"INSERT INTO admin_mailbox (address, quota, use_domain_quota, domain_id, user_id, is_send_only, creation, " +
			"last_modification) VALUES ('alice', 2048, '0', 1, 1, '0', '2026-11-28', '2026-11-28')",
		"INSERT INTO admin_alias (id, address, enabled, internal, description, domain_id, creation, last_modification) " +
			"VALUES (1, 'sales@example.org', '1', '0', '', 1, '2026-11-28', '2026-11-28'), " +
			"(2, '@example.org', '1', '0', '', 1, '2026-11-28', '2026-11-28')",
		"INSERT INTO modoboa_admin_aliasrecipient (address, alias_id) VALUES ('alice@example.org', 1), " +
			"('alice@example.org', 2)",
	},
}

func TestPostgresManual(t *testing.T) {
	sqlManual(t, "postgres", peer.StartPostgres(t), "doorstep", "postfixadmin", "iredmail", "modoboa")
}

func TestMySQLManual(t *testing.T) {
	sqlManual(t, "mysql", peer.StartMariaDB(t), "doorstep", "postfixadmin", "mailcow", "iredmail", "modoboa")
}

// TestPostfixAdminManual is the same for PostfixAdmin's tables in SQLite.
func TestPostfixAdminManual(t *testing.T) {
	dir := place(t)
	tables, err := os.ReadFile("../internal/hosting/testdata/postfixadmin.sqlite.sql")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "postfixadmin.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range append([]string{string(tables)}, hosted["postfixadmin"]...) {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%.300s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	configuration := "hostname = \"mail.example.org\"\npostmaster = \"alice@example.org\"\n[[listen]]\naddress = " +
		"\"unix:lmtp\"\n" +
		strings.ReplaceAll(manual(t, "sqlite.md", "postfixadmin"), "/var/lib/postfixadmin/postfixadmin.db", file)
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	console(t, dir, manual(t, "sqlite.md", "postfixadmin lookup"))
}

// sqlManual runs the recipes of a page: its configuration for a project, and what lookup says then.
func sqlManual(t *testing.T, driver string, db *peer.Database, schemas ...string) {
	page := driver + ".md"
	for _, schema := range schemas {
		t.Run(schema, func(t *testing.T) {
			if schema == "doorstep" {
				db.Fill(schema, manual(t, page, "tables"))
			} else {
				tables, err := os.ReadFile(filepath.Join("../internal/hosting/testdata", schema+"."+driver+".sql"))
				if err != nil {
					t.Fatal(err)
				}
				db.Fill(schema, string(tables))
			}
			db.Run(schema, hosted[schema]...)
			dir := place(t)
			configuration := "hostname = \"mail.example.org\"\npostmaster = \"alice@example.org\"\n[[listen]]\naddress = " +
				"\"unix:lmtp\"\n" +
				strings.NewReplacer(
					`"/run/postgresql"`, `"`+db.Socket+"\"\nport = "+db.Port, "/run/mysqld/mysqld.sock", db.Socket,
					"/etc/doorstep/database.password", db.PasswordFile, `"vmail"`, `"iredmail"`, // each in a database of its own here
				).Replace(manual(t, page, schema))
			if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(configuration), 0o600); err != nil {
				t.Fatal(err)
			}
			console(t, dir, manual(t, page, schema+" lookup"))
		})
	}
}
