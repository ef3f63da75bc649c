package directorytest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/static"
)

// A Suite says how to test one backend.
type Suite struct {
	// Open fills the real thing with a world and returns the directory over it. It cleans up
	// by t.Cleanup.
	Open func(t *testing.T, w World) directory.Directory
	// Aliases, Domains, Owners, Mailboxes and CatchAlls say what the backend knows. What it does
	// not know it must not be asked for.
	Aliases, Domains, Owners, Mailboxes, CatchAlls bool
	// Lists says that it can list its accounts.
	Lists bool
	// NoQuotas says that the backend knows none.
	NoQuotas bool
	// NoHomes says that it knows no home directories.
	NoHomes bool
	// Stop takes the backend away and returns what brings it back; nil where it cannot go.
	Stop func(t *testing.T) (start func())
}

// patience bounds every question of the suite. It is far beyond what any may take.
const patience = 30 * time.Second

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	d := s.Open(t, Standard)
	t.Run("accounts", func(t *testing.T) { s.accounts(t, d) })
	t.Run("list", func(t *testing.T) { s.list(t, d) })
	t.Run("unknown", func(t *testing.T) { s.unknown(t, d) })
	t.Run("broken", func(t *testing.T) { broken(t, d) })
	t.Run("claimed twice", func(t *testing.T) { s.claimedTwice(t, d) })
	if s.Aliases {
		t.Run("aliases", func(t *testing.T) { aliases(t, d) })
	}
	if s.CatchAlls {
		t.Run("catch-all", func(t *testing.T) { catchAlls(t, d) })
	}
	if s.Domains {
		t.Run("domains", func(t *testing.T) { domains(t, d) })
	}
	t.Run("many at once", func(t *testing.T) { manyAtOnce(t, d) })
	if s.Stop != nil {
		t.Run("down", func(t *testing.T) { s.down(t, d) })
	}
}

// accounts finds each, with all that is known of it.
func (s Suite) accounts(t *testing.T, d directory.Directory) {
	for _, want := range Standard.Accounts {
		if want.Broken {
			continue
		}
		entry, err := lookup(t, d, want.Address)
		if err != nil || entry.Account == nil || len(entry.Targets) > 0 {
			t.Errorf("%s: %+v, %v", want.Address, entry, err)
			continue
		}
		got := entry.Account
		if got.Key != mustKey(want.Address) {
			t.Errorf("%s: key %v, want %v", want.Address, got.Key, mustKey(want.Address))
		}
		if key, err := Key(got.Address); err != nil || key != got.Key {
			t.Errorf("%s: address %q is another account's: %v, %v", want.Address, got.Address, key, err)
		}
		if !s.NoHomes && want.Home != "" && got.Home != want.Home {
			t.Errorf("%s: home %q, want %q", want.Address, got.Home, want.Home)
		}
		if !s.NoQuotas && got.Quota.Bytes != want.Quota.Bytes {
			t.Errorf("%s: quota %+v, want %+v", want.Address, got.Quota, want.Quota)
		}
		if s.Mailboxes && want.Mailbox != "" && got.Mailbox != want.Mailbox {
			t.Errorf("%s: mailbox %q, want %q", want.Address, got.Mailbox, want.Mailbox)
		}
		if s.Owners && want.Owner != nil && (got.Owner == nil || *got.Owner != *want.Owner) {
			t.Errorf("%s: owner %v, want %v", want.Address, got.Owner, want.Owner)
		}
		if off := got.Disabled != ""; off != want.Off {
			t.Errorf("%s: disabled %q, want %v", want.Address, got.Disabled, want.Off)
		}
	}
}

// list has each account once, as a lookup finds it, and what is wrong with the others.
func (s Suite) list(t *testing.T, d directory.Directory) {
	lister, ok := d.(directory.Lister)
	if !ok && !s.Lists {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	listed, broken := map[directory.Key]int{}, ""
	var failed error
	for a, err := range lister.Accounts(ctx) {
		switch {
		case errors.Is(err, directory.ErrBroken):
			broken += err.Error() + "\n"
		case err != nil:
			failed = err
		default:
			listed[a.Key]++
			entry, err := ask(t, d, a.Key)
			if !errors.Is(err, directory.ErrBroken) && !reflect.DeepEqual(entry.Account, a) {
				t.Errorf("listed %+v, looked up %+v, %v", a, entry.Account, err)
			}
		}
	}
	if !s.Lists {
		if !errors.Is(failed, directory.ErrNotListed) || len(listed) > 0 {
			t.Errorf("%d accounts listed, %v", len(listed), failed)
		}
		return
	}
	for _, want := range Standard.Accounts {
		if want.Broken {
			if !strings.Contains(broken, want.Address) && listed[mustKey(want.Address)] != 2 { // an address in two records
				t.Errorf("%s is not named as broken: %s", want.Address, broken)
			}
		} else if n := listed[mustKey(want.Address)]; n != 1 {
			t.Errorf("%s is listed %d times", want.Address, n)
		}
	}
	if failed != nil {
		t.Error(failed)
	}
	for a, err := range lister.Accounts(ctx) {
		if a == nil && !errors.Is(err, directory.ErrBroken) {
			t.Errorf("the first account, and no more: %v", err)
		}
		break
	}
}

// hostile are local parts that no account has, and that mean something to a database, a shell, a
// file or a terminal.
var hostile = []string{
	"nobody", "ali", "alice2", "alice ", " alice", "ALICE", // a key is compared as it is
	"%", "a%", "_lice", "*", "a*", "?lice", "[a]lice", "alice\\", `\`, `"`, "'", "''", "' or '1'='1", "alice'--", "alice;",
	"alice/*", "`id`", "$(id)",
	"*)(mail=*", ")(uid=*))(|(uid=*", `\2a`, "\x00", "alice\x00", "alice\x00x", "alice\n", "alice:", ":", "#alice",
	"../alice", "/", ".", "..",
	"alice@dst.example", "\xff", "al\xc3", "\u202ealice", "a\u0301", strings.Repeat("a", 64), strings.Repeat("'", 64),
	strings.Repeat("%", 64),
	"root", "-", "--help", "{domain}", "%u", "%d", "$1", ":name",
}

// unknown is refused as such, whatever its octets: an error would defer mail for ever, and an
// account would be another user's.
func (s Suite) unknown(t *testing.T, d directory.Directory) {
	for _, local := range hostile {
		if entry, err := ask(t, d, directory.Key{Local: local, Domain: "dst.example"}); !errors.Is(err,
			directory.ErrNotFound) {
			t.Errorf("%q: %+v, %v", local, entry, err)
		}
	}
	for _, domain := range []string{"", "example", "xdst.example", "dst.exampl_", "%", "dst.example'", "dst.example\x00",
		"[192.0.2.1]", "elsewhere.example"} {
		if entry, err := ask(t, d, directory.Key{Local: "alice", Domain: domain}); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("alice@%q: %+v, %v", domain, entry, err)
		}
	}
}

// broken records are an error that says so, and that names the account.
func broken(t *testing.T, d directory.Directory) {
	entry, err := lookup(t, d, "broken@dst.example")
	if !errors.Is(err, directory.ErrBroken) || errors.Is(err, directory.ErrNotFound) ||
		!strings.Contains(err.Error(), "broken@dst.example") {
		t.Errorf("broken record: %+v, %v", entry, err)
	}
}

// claimedTwice: what the backend has, in a record that makes sense or not, counts for no one while another
// directory has it too. What only one of them has is found.
func (s Suite) claimedTwice(t *testing.T, d directory.Directory) {
	other := static.New()
	both := []string{Standard.Accounts[0].Address, "broken@dst.example"}
	if s.Aliases {
		for alias := range Standard.Aliases {
			both = append(both, alias)
		}
	}
	for _, address := range append(both, "only@dst.example") {
		if err := other.AddAlias(mustKey(address), "somebody@dst.example"); err != nil {
			t.Fatal(err)
		}
	}
	backends := []directory.Backend{{Name: "other", Directory: other}, {Name: "this", Directory: d}}
	chain := &directory.Chain{Backends: backends}
	for _, address := range both {
		var overlap *directory.Overlap
		if entry, err := lookup(t, chain, address); !errors.As(err, &overlap) ||
			!slices.Equal(overlap.Backends, []string{"other", "this"}) {
			t.Errorf("%s in both: %+v, %v", address, entry, err)
		}
	}
	for _, address := range []string{"only@dst.example", Standard.Accounts[1].Address} {
		if _, err := lookup(t, chain, address); err != nil {
			t.Errorf("%s in one: %v", address, err)
		}
	}
}

func aliases(t *testing.T, d directory.Directory) {
	for alias, want := range Standard.Aliases {
		entry, err := lookup(t, d, alias)
		if err == nil && entry.Account != nil && len(want) == 1 && entry.Account.Key == mustKey(want[0]) {
			continue // a backend may follow an alias for one account itself
		}
		checkTargets(t, alias, entry, err, want)
	}
}

func catchAlls(t *testing.T, d directory.Directory) {
	for domain, want := range Standard.CatchAlls {
		entry, err := lookup(t, d, "@"+domain)
		checkTargets(t, "@"+domain, entry, err, []string{want})
	}
	if entry, err := lookup(t, d, "@dst.example"); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("a catch-all that was not made: %+v, %v", entry, err)
	}
}

func checkTargets(t *testing.T, alias string, entry directory.Entry, err error, want []string) {
	t.Helper()
	if err != nil || entry.Account != nil {
		t.Errorf("%s: %+v, %v", alias, entry, err)
		return
	}
	var got, wanted []string
	for _, target := range entry.Targets {
		got = append(got, mustKey(target).String())
	}
	for _, target := range want {
		wanted = append(wanted, mustKey(target).String())
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("%s stands for %q, want %q", alias, got, wanted)
	}
}

func domains(t *testing.T, d directory.Directory) {
	knower, ok := d.(directory.DomainDirectory)
	if !ok {
		t.Fatalf("%T knows no domains", d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, name := range Standard.Domains {
		key := mustKey("x@" + name).Domain
		if got, err := knower.Domain(ctx, key); err != nil || got.AliasOf != "" || mustKey("x@"+got.Name).Domain != key {
			t.Errorf("domain %s: %+v, %v", name, got, err)
		}
	}
	for name, of := range Standard.DomainAliases {
		if got, err := knower.Domain(ctx, name); err != nil || got.AliasOf != of {
			t.Errorf("domain %s: %+v, %v; want another name of %s", name, got, err, of)
		}
	}
	for _, name := range []string{"elsewhere.example", "", "%", "dst.example'", "xdst.example", "DST.EXAMPLE "} {
		if got, err := knower.Domain(ctx, name); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("domain %q: %+v, %v", name, got, err)
		}
	}
}

// manyAtOnce is for the race detector, and for pools that are smaller than the crowd.
func manyAtOnce(t *testing.T, d directory.Directory) {
	var crowd sync.WaitGroup
	for i := range 64 {
		crowd.Go(func() {
			want := Standard.Accounts[i%3].Address
			entry, err := lookup(t, d, want)
			if err != nil || entry.Account == nil || entry.Account.Key != mustKey(want) {
				t.Errorf("%s: %+v, %v", want, entry, err)
			}
		})
	}
	crowd.Wait()
}

// down is a temporary error, for known and unknown alike, and over when the backend is back.
func (s Suite) down(t *testing.T, d directory.Directory) {
	start := s.Stop(t)
	for _, who := range []string{"alice@dst.example", "nobody@dst.example"} {
		if entry, err := lookup(t, d, who); err == nil || errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s while the backend is down: %+v, %v", who, entry, err)
		}
	}
	start()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		entry, err := d.Lookup(ctx, mustKey("alice@dst.example"))
		if err == nil && entry.Account != nil {
			return
		}
		if ctx.Err() != nil || errors.Is(err, directory.ErrNotFound) {
			t.Fatalf("the backend is back, and the directory says %v", err)
		}
	}
}

func lookup(t *testing.T, d directory.Directory, text string) (directory.Entry, error) {
	t.Helper()
	return ask(t, d, mustKey(text))
}

func ask(t *testing.T, d directory.Directory, key directory.Key) (directory.Entry, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return d.Lookup(ctx, key)
}
