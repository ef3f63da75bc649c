package main

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A contender takes part in the comparison.
type contender struct {
	name  string // in -contenders, JSON and files
	title string // for people
	start func(s site) (subject, error)
}

// contenders lists them in the order of the table: first those that make the promise, then those that do not.
func contenders(o options) []contender {
	group := setup{store: `durability = "group"`}
	list := []contender{
		{"group", "Doorstep, group", group.start(o.doorstep)},
		{"single", "Doorstep, group, single_copy", setup{store: "single_copy = true"}.start(o.doorstep)},
		{"each", "Doorstep, each", setup{store: `durability = "each"`}.start(o.doorstep)},
		{"quota", "Doorstep, group, with quotas", setup{quotas: true}.start(o.doorstep)},
		{"owners", "Doorstep, group, 16 owners", setup{owners: true}.start(o.doorstep)},
		{"sqlite", "Doorstep, group, accounts in SQLite", setup{sqlite: true}.start(o.doorstep)},
		{"against", "the other Doorstep, group", group.start(o.against)},
		{"dovecot", "Dovecot LMTP", startDovecot},
		{"go-synced", "go-smtp + go-maildir, synced", goSMTP(true)},
		{"floor", "the floor: a bare loop", startFloor},
		{"none", "Doorstep, none: no sync", setup{store: `durability = "none"`}.start(o.doorstep)},
		{"go", "go-smtp + go-maildir: no sync", goSMTP(false)},
	}
	return slices.DeleteFunc(list, func(c contender) bool {
		return o.only != "" && !slices.Contains(strings.Split(o.only, ","), c.name) || c.name == "against" && o.against == ""
	})
}

// dovecotSettings keep Dovecot from being held up by its own limits, and change nothing else: Maildir, and mail_fsync =
// optimized, are what it does by default. It has one process for each connection. Its login processes for IMAP are not
// used.
var dovecotSettings = []string{
	"service lmtp {\n process_limit = 2000\n process_min_avail = 4\n}",
	"service auth {\n client_limit = 10000\n}",
	"service anvil {\n client_limit = 10000\n}",
	"default_process_limit = 2000",
	"default_client_limit = 10000",
}

// startDovecot starts a private instance.
func startDovecot(s site) (subject, error) {
	c := peer.DovecotConfig{UID: peer.MailUser, GID: peer.MailUser, LMTP: true, Settings: dovecotSettings}
	for _, box := range boxes() {
		if box.aliases == nil {
			box.aliases = []string{box.name}
		}
		for _, local := range box.aliases {
			c.Users = append(c.Users, peer.DovecotUser{Name: local + "@" + domain, Maildir: s.maildir(box.name)})
		}
	}
	server := &server{client: s.client}
	err := s.launch(func() {
		d := peer.StartDovecot(s, c)
		server.process, server.socket = d.Process, d.LMTPSocket
		peer.AwaitListener(s, d.Process, "unix", d.LMTPSocket)
	})
	return server, err
}
