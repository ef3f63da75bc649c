package hosting

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
)

// ours is Doorstep's own schema, with the tables that the manual shows.
func ours(t *testing.T, kind string) project {
	suite := directorytest.Suite{Aliases: true, Domains: true, Owners: true, Mailboxes: true, CatchAlls: true, Lists: true}
	return project{schema: "doorstep", servers: []string{kind}, suite: suite, fill: fillDoorstep}
}

// manual returns the block of a page after <!-- test: name -->.
func manual(t *testing.T, page, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "<!-- test: "+name+" -->\n```")
	_, rest, _ = strings.Cut(rest, "\n")
	block, _, closed := strings.Cut(rest, "\n```")
	if !ok || !closed {
		t.Fatalf("%s has no block %q", page, name)
	}
	return block
}

func key(text string) directory.Key {
	if domain, ok := strings.CutPrefix(text, "@"); ok {
		return directory.Key{Domain: domain}
	}
	k, err := directorytest.Key(text)
	if err != nil {
		panic(err)
	}
	return k
}

func fillDoorstep(w directorytest.World) (list []string) {
	for _, d := range w.Domains {
		list = append(list, insert("domain", "domain_key, name", key("x@"+d).Domain, d))
	}
	for alias, of := range w.DomainAliases {
		list = append(list, insert("domain", "domain_key, name, alias_of", alias, alias, of))
	}
	for _, a := range w.Accounts {
		k := key(a.Address)
		columns, values := "domain_key, local_key, address, home, mailbox, quota",
			[]any{k.Domain, k.Local, a.Address, a.Home, a.Mailbox, a.Quota.Bytes}
		if a.Owner != nil {
			columns, values = columns+", uid, gid", append(values, a.Owner.UID, a.Owner.GID)
		}
		if a.Broken {
			columns, values = columns+", uid", append(values, 7) // without gid
		}
		if a.Off {
			columns, values = columns+", disabled", append(values, "defer")
		}
		list = append(list, insert("account", columns, values...))
	}
	alias := func(from, target string) {
		k := key(from)
		list = append(list, insert("alias", "domain_key, local_key, address, target", k.Domain, k.Local, from, target))
	}
	for from, targets := range w.Aliases {
		for _, target := range targets {
			alias(from, target)
		}
	}
	for domain, target := range w.CatchAlls {
		alias("@"+domain, target)
	}
	return list
}

// port is a database's port as a number.
func port(d *peer.Database) int {
	n, err := strconv.Atoi(d.Port)
	if err != nil {
		panic(fmt.Sprintf("port %q: %v", d.Port, err))
	}
	return n
}
