package main

import (
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// asMailUser is how contenders run when root starts them.
func asMailUser() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: peer.MailUser, Gid: peer.MailUser}}
}

// dovecotSettings keep Dovecot from being held up by its own limits, and change nothing else:
// Maildir, and mail_fsync = optimized, are what it does by default. It has one process for each
// connection. Its login processes for IMAP are not used.
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
	add := func(box, local string) {
		c.Users = append(c.Users, peer.DovecotUser{Name: local + "@" + domain, Maildir: s.maildir(box)})
	}
	for i, box := range boxes() {
		for _, local := range aliasesOf(i) {
			add(box, local)
		}
	}
	for _, box := range namedBoxes() {
		add(box, box)
	}
	server := new(server)
	err := s.launch(func() {
		d := peer.StartDovecot(s, c)
		server.process, server.socket = d.Process, d.LMTPSocket
		peer.AwaitListener(s, d.Process, "unix", d.LMTPSocket)
	})
	return server, err
}
