package sqlite_test

import (
	db "database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

func openRaw(path string) (*db.DB, error) { return db.Open("sqlite", path) }

// TestRefusals: what would make an address ambiguous, or nobody's, changes nothing.
func TestRefusals(t *testing.T) {
	s := store(t, filepath.Join(t.TempDir(), "accounts.db"))
	ctx := t.Context()
	account := func(address string) directory.Account { return directory.Account{Address: address} }
	steps := []struct {
		name string
		do   func() error
		want error // nil for done
	}{
		{"an account without its domain", func() error { return s.AddAccount(ctx, account("alice@x.example")) },
			sqlite.ErrNoDomain},
		{"a domain", func() error { return s.AddDomain(ctx, "x.example", "") }, nil},
		{"the same in other letters", func() error { return s.AddDomain(ctx, "X.Example", "") }, sqlite.ErrTaken},
		{"another name of one that is not there", func() error { return s.AddDomain(ctx, "y.example", "z.example") },
			sqlite.ErrNoDomain},
		{"another name", func() error { return s.AddDomain(ctx, "例え.example", "x.example") }, nil},
		{"the same in A-labels", func() error { return s.AddDomain(ctx, "xn--r8jz45g.example", "") }, sqlite.ErrTaken},
		{"another name of another name", func() error { return s.AddDomain(ctx, "y.example", "例え.example") },
			sqlite.ErrAlias},
		{"an account", func() error { return s.AddAccount(ctx, account("Alice@x.example")) }, nil},
		{"the same account", func() error { return s.AddAccount(ctx, account("alice@X.example")) }, sqlite.ErrTaken},
		{"an account in another name", func() error { return s.AddAccount(ctx, account("bob@例え.example")) }, sqlite.ErrAlias},
		{"an account's address as an alias", func() error { return s.AddAlias(ctx, "ALICE@x.example", "bob@x.example") },
			sqlite.ErrTaken},
		{"an alias", func() error { return s.AddAlias(ctx, "sales@x.example", "alice@x.example") }, nil},
		{"another target", func() error { return s.AddAlias(ctx, "Sales@x.example", "bob@elsewhere.example") }, nil},
		{"an alias's address as an account", func() error { return s.AddAccount(ctx, account("sales@x.example")) },
			sqlite.ErrTaken},
		{"a catch-all", func() error { return s.AddAlias(ctx, "@x.example", "alice@x.example") }, nil},
		{"a change of nobody", func() error {
			return s.SetAccount(ctx, "bob@x.example",
				func(*directory.Account) error { return nil })
		}, sqlite.ErrMissing},
		{"a target that is not there", func() error { return s.DeleteAlias(ctx, "sales@x.example", "nobody@x.example") },
			sqlite.ErrMissing},
		{"a domain in use", func() error { return s.DeleteDomain(ctx, "x.example", false) }, sqlite.ErrInUse},
		{"nobody", func() error { return s.DeleteAccount(ctx, "bob@x.example") }, sqlite.ErrMissing},
	}
	for _, step := range steps {
		if err := step.do(); !errors.Is(err, step.want) {
			t.Errorf("%s: %v, want %v", step.name, err, step.want)
		}
	}
	for name, err := range map[string]error{
		"no address":         s.AddAccount(ctx, account("alice")),
		"control characters": s.AddAccount(ctx, account("a\nb@x.example")),
		"negative quota":     s.AddAccount(ctx, directory.Account{Address: "q@x.example", Quota: directory.Quota{Bytes: -1}}),
		"a path elsewhere":   s.AddAccount(ctx, directory.Account{Address: "p@x.example", Mailbox: "../root"}),
		"a relative home":    s.AddAccount(ctx, directory.Account{Address: "h@x.example", Home: "home"}),
		"itself":             s.AddAlias(ctx, "self@x.example", "Self@x.example"),
		"a bad target":       s.AddAlias(ctx, "t@x.example", "nobody"),
		"a literal":          s.AddDomain(ctx, "[192.0.2.1]", ""),
		"another's address": s.SetAccount(ctx, "alice@x.example",
			func(a *directory.Account) error { a.Address = "bob@x.example"; return nil }),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	var accounts []string
	for a, err := range s.Accounts(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, a.Address)
	}
	if d := cmp.Diff([]string{"Alice@x.example"}, accounts); d != "" {
		t.Error(d)
	}
	if err := s.DeleteDomain(ctx, "x.example", true); err != nil {
		t.Fatal(err)
	}
	if left, err := s.Domains(ctx); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	for a := range s.Aliases(ctx, "") {
		t.Errorf("left: %v", a)
	}
}

// TestEverythingIsKept: what is said of an account comes back, and can be taken back.
func TestEverythingIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	s := store(t, path)
	if err := s.AddDomain(t.Context(), "x.example", ""); err != nil {
		t.Fatal(err)
	}
	want := directory.Account{
		Address: "José@x.example", Key: directory.Key{Local: "josé", Domain: "x.example"}, Home: "/home/j", Disabled: "defer",
		ASCIIOnly:  true,
		OwnerSince: time.Date(2014, 4, 3, 23, 1, 0, 0, time.UTC), Quota: directory.Quota{Bytes: 1 << 40, Messages: 7},
		Owner: &directory.Owner{UID: 4294967294, GID: 0}, Mailbox: "x.example/j",
	}
	if err := s.AddAccount(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	check := func(want directory.Account) {
		t.Helper()
		entry, err := d.Lookup(t.Context(), want.Key)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, *entry.Account); d != "" {
			t.Error(d)
		}
		for a, err := range s.Accounts(t.Context(), "X.example") {
			if d := cmp.Diff(want, a); d != "" || err != nil {
				t.Error(d, err)
			}
		}
	}
	check(want)
	plain := directory.Account{Address: "josé@x.example", Key: want.Key}
	if err := s.SetAccount(t.Context(), "JOSÉ@x.example",
		func(a *directory.Account) error { *a = plain; return nil }); err != nil {
		t.Fatal(err)
	}
	check(plain)
}

// TestReadWhileWritten: a server finds the accounts that are there, whatever is being written.
func TestReadWhileWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	fill(t, path, directorytest.Standard)
	d, s := open(t, path), store(t, path)
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := d.Lookup(t.Context(), directory.Key{Local: "alice", Domain: "dst.example"}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 50 {
		address := strings.Repeat("x", i+1) + "@dst.example"
		if err := s.AddAccount(t.Context(), directory.Account{Address: address}); err != nil {
			t.Error(err)
		}
		if _, err := d.Lookup(t.Context(), directory.Key{Local: strings.Repeat("x", i+1),
			Domain: "dst.example"}); err != nil {
			t.Errorf("%s is not there at once: %v", address, err)
		}
	}
	close(done)
	readers.Wait()
}

// TestForeignFiles: what is no database of ours is neither read nor changed, and is a temporary
// error, as is one that is missing.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := filepath.Join(dir, "other")
	execute(t, other, "CREATE TABLE account (address TEXT)")
	newer := filepath.Join(dir, "newer")
	fill(t, newer, directorytest.Standard)
	execute(t, newer, "PRAGMA user_version = 99")
	for _, path := range []string{filepath.Join(dir, "missing"), write("text", "alice@x.example\n"), write("empty", ""),
		other, newer} {
		d := open(t, path)
		if _, err := d.Lookup(t.Context(), directory.Key{Local: "alice", Domain: "dst.example"}); err == nil ||
			errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %v", path, err)
		}
		if filepath.Base(path) == "empty" {
			continue // Create may have it
		}
		s, err := sqlite.Edit(t.Context(), sqlite.StoreOptions{Path: path, Key: directorytest.Key})
		if err == nil {
			s.Close()
			t.Errorf("%s: opened", path)
		}
		if filepath.Base(path) == "missing" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing: %v", err)
		}
	}
}

// TestFileMode: accounts are nobody else's business, also in the files that SQLite adds.
func TestFileMode(t *testing.T) {
	dir := t.TempDir()
	fill(t, filepath.Join(dir, "accounts.db"), directorytest.Standard)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) < 3 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o640 {
			t.Errorf("%s has mode %o", e.Name(), info.Mode())
		}
	}
}

// TestChangedRules: an account that was added when case did not matter is not another user's when
// it does.
func TestChangedRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.db")
	s := store(t, path)
	if err := s.AddDomain(t.Context(), "x.example", ""); err != nil {
		t.Fatal(err)
	}
	if err := s.AddAccount(t.Context(), directory.Account{Address: "Alice@x.example"}); err != nil {
		t.Fatal(err)
	}
	execute(t, path, "UPDATE account SET address = 'alicia@x.example'")
	_, err := open(t, path).Lookup(t.Context(), directory.Key{Local: "alice", Domain: "x.example"})
	if err == nil || errors.Is(err, directory.ErrNotFound) || !strings.Contains(err.Error(), "alicia@x.example") {
		t.Errorf("%v", err)
	}
}
