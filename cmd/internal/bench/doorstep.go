package main

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

// A setup is how Doorstep is configured, where that is not by its defaults.
type setup struct {
	store  string // keys of [store]
	quotas bool   // each mailbox has one, and room
	owners bool   // the mailboxes belong to several users; takes root
	sqlite bool   // the accounts are in a database
}

// owners is how many users the mailboxes belong to, with numbers that no user has.
const (
	owners     = 16
	firstOwner = 20_001
)

// start starts the program.
func (u setup) start(program string) func(site) (subject, error) {
	return func(s site) (subject, error) {
		dir := peer.MailDir(s)
		socket, config, accounts := filepath.Join(dir, "lmtp"), filepath.Join(dir, "doorstep.toml"),
			filepath.Join(dir, "accounts.db")
		cmd := exec.Command(program, "serve", "-c", config)
		cmd.SysProcAttr = asMailUser()
		if u.owners {
			if err := giveAway(s); err != nil {
				return nil, err
			}
			cmd.SysProcAttr = new(syscall.SysProcAttr) // root, which becomes the mail user by itself
		}
		if u.sqlite {
			if err := fillSQLite(accounts); err != nil {
				return nil, err
			}
		}
		text := u.config(s, socket, accounts)
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			return nil, err
		}
		return startServer(s, socket, cmd)
	}
}

// config raises the bound of connections and leaves all else as it is.
func (u setup) config(s site, socket, accounts string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `hostname = "mx.%s"
[[listen]]
address = "unix:%s"
mode = "0666"
[limits]
connections = 20000
[store]
path = "%s/{local}"
%s
`, domain, socket, s.mail(), u.store)
	if u.owners {
		b.WriteString("user = \"mail\"\nowners = true\n")
	}
	fmt.Fprintf(&b, "[[domain]]\nname = %q\n", domain)
	if u.sqlite {
		fmt.Fprintf(&b, "[[directory]]\ndriver = \"sqlite\"\nfile = %q\n", accounts)
		return b.String()
	}
	for i, box := range boxes() {
		fmt.Fprintf(&b, "[[user]]\naddress = %q\naliases = [", box.name+"@"+domain)
		for _, a := range box.aliases {
			fmt.Fprintf(&b, "%q, ", a+"@"+domain)
		}
		b.WriteString("]\n")
		if u.quotas {
			b.WriteString("quota = \"1TiB\"\nquota_messages = 1000000000\n")
		}
		if u.owners {
			fmt.Fprintf(&b, "uid = %[1]d\ngid = %[1]d\n", firstOwner+i%owners)
		}
	}
	return b.String()
}

// giveAway makes a directory for each mailbox that its owner may fill.
func giveAway(s site) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, to deliver as several users")
	}
	for i, box := range boxes() {
		dir, id := s.maildir(box.name), firstOwner+i%owners
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chown(dir, id, id)); err != nil { // of an earlier case
			return err
		}
	}
	return nil
}

// fillSQLite makes a database of all accounts and aliases, as "doorstep user" and "doorstep alias" do, in one
// transaction.
func fillSQLite(path string) error {
	ctx := context.Background()
	keyer := func(string) (directory.Key, error) {
		return directory.Key{}, errors.New("no address is looked up here")
	}
	empty, err := sqlite.Create(ctx, sqlite.StoreOptions{Path: path, Key: keyer})
	if err != nil {
		return err
	}
	if err := empty.Close(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("BEGIN;")
	for _, box := range boxes() {
		fmt.Fprintf(&b, "INSERT INTO account (domain_key, local_key, address) VALUES ('%[1]s', '%[2]s', '%[2]s@%[1]s');\n",
			domain, box.name)
		for _, alias := range box.aliases {
			fmt.Fprintf(&b, "INSERT INTO alias (domain_key, local_key, address, target) "+
				"VALUES ('%[1]s', '%[2]s', '%[2]s@%[1]s', '%[3]s@%[1]s');\n", domain, alias, box.name)
		}
	}
	b.WriteString("COMMIT;")
	raw, err := db.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = raw.ExecContext(ctx, b.String())
	return errors.Join(err, raw.Close(), own(path))
}
