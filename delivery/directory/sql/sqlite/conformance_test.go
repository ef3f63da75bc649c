package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

func TestConformance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	directorytest.Suite{
		Lists:   true,
		Aliases: true, Domains: true, Owners: true, Mailboxes: true, CatchAlls: true,
		Open: func(t *testing.T, w directorytest.World) directory.Directory {
			fill(t, path, w)
			return open(t, path)
		},
	}.Run(t)
}

// open opens a database for lookups.
func open(tb testing.TB, path string) *sqlite.Directory {
	tb.Helper()
	queries, _ := sql.Preset("doorstep")
	d, err := sqlite.Open(sqlite.Options{Path: path, Queries: queries, Ours: true, Key: directorytest.Key})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// store opens a database for changes.
func store(tb testing.TB, path string) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Create(tb.Context(), sqlite.StoreOptions{Path: path, Key: directorytest.Key})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// fill fills a database with a world, as the verbs do.
func fill(t *testing.T, path string, w directorytest.World) {
	t.Helper()
	s := store(t, path)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, domain := range w.Domains {
		must(s.AddDomain(t.Context(), domain, ""))
	}
	for alias, of := range w.DomainAliases {
		must(s.AddDomain(t.Context(), alias, of))
	}
	for _, a := range w.Accounts {
		account := directory.Account{Address: a.Address, Home: a.Home, Mailbox: a.Mailbox, Quota: a.Quota, Owner: a.Owner}
		if a.Off {
			account.Disabled = "defer"
		}
		must(s.AddAccount(t.Context(), account))
		if a.Broken { // by another program
			execute(t, path, "UPDATE account SET uid = 5000000000, gid = 5 WHERE address = '"+a.Address+"'")
		}
	}
	for alias, targets := range w.Aliases {
		must(s.AddAlias(t.Context(), alias, targets...))
	}
	for domain, target := range w.CatchAlls {
		must(s.AddAlias(t.Context(), "@"+domain, target))
	}
}

// execute changes a database behind the store's back.
func execute(tb testing.TB, path, statement string) {
	tb.Helper()
	database, err := openRaw(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer database.Close()
	if _, err := database.ExecContext(tb.Context(), statement); err != nil {
		tb.Fatal(fmt.Errorf("%s: %w", statement, err))
	}
}
