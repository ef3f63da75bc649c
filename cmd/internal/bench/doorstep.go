package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A setup is how Doorstep is configured, where that is not by its defaults.
type setup struct {
	store  string // keys of [store]
	quotas bool   // each mailbox has one, and room
	owners bool   // each mailbox belongs to one of so many users; takes root
	sqlite bool   // the accounts are in a database
}

// owners is how many users the mailboxes belong to, with numbers that nobody has.
const (
	owners     = 16
	firstOwner = 20_001
)

// start starts the program.
func (u setup) start(program string) func(site) (subject, error) {
	return func(s site) (subject, error) {
		socket, config := filepath.Join(peer.MailDir(s), "lmtp"), filepath.Join(peer.Dir(s), "doorstep.toml")
		if err := os.WriteFile(config, []byte(u.config(s, socket)), 0o644); err != nil {
			return nil, err
		}
		cmd := exec.Command(program, "serve", "-c", config)
		if u.owners {
			if err := u.giveAway(s); err != nil {
				return nil, err
			}
			cmd.SysProcAttr = new(syscall.SysProcAttr) // root, and by itself the mail user
		}
		if u.sqlite {
			if err := fillSQLite(u.database(socket)); err != nil {
				return nil, err
			}
		}
		return startServer(s, socket, cmd)
	}
}

// config raises the bound of connections and leaves all else as it is.
func (u setup) config(s site, socket string) string {
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
		fmt.Fprintf(&b, "[[directory]]\ndriver = \"sqlite\"\nfile = %q\n", u.database(socket))
		return b.String()
	}
	for i, box := range allBoxes() {
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

// A box is a mailbox, and what else leads to it.
type box struct {
	name    string
	aliases []string
}

// allBoxes lists those for a Load without Box and those that a Load can name.
func allBoxes() (all []box) {
	for i, name := range boxes() {
		all = append(all, box{name, aliasesOf(i)})
	}
	for _, name := range namedBoxes() {
		all = append(all, box{name: name})
	}
	return all
}

// giveAway makes a directory for each mailbox that its owner may fill.
func (u setup) giveAway(s site) error {
	if os.Geteuid() != 0 {
		return errors.New("needs root, to deliver as several users")
	}
	for i, box := range allBoxes() {
		dir, id := s.maildir(box.name), firstOwner+i%owners
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chown(dir, id, id)); err != nil { // of a case before
			return err
		}
	}
	return nil
}

// database is where the accounts are, for a server at a socket.
func (u setup) database(socket string) string {
	return filepath.Join(filepath.Dir(socket), "accounts.db")
}
