// Package directory finds accounts. It holds the Directory interface, the chain in which several
// are asked, and the cache before one; each backend has a package of its own below it, and all
// pass the same suite (directorytest). Which backends there are is said in config/driver.go, and
// how each is opened in cmd/internal/build/directory.go.
package directory

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// ErrNotFound says that the directory answered and has no such address or domain. Every other
// error means that it could not answer, or that what it has is broken: both are temporary, since
// to refuse for good would bounce the mail of an account that exists.
var ErrNotFound = errors.New("no such account")

// ErrBroken says that the directory has a record for the address, and that it makes no sense.
var ErrBroken = errors.New("broken account")

// A Key names an address for comparison (address.DomainKey, address.LocalPolicy.Key). Keys are
// never shown to a client nor written into a message. A Key without a local part asks for the
// catch-all of the domain.
type Key struct {
	Local  string
	Domain string // A-labels, lower case
}

// String returns the key for logs and for people who ask.
func (k Key) String() string {
	if k.Local == "" {
		return "@" + address.DomainUnicode(k.Domain)
	}
	return address.Address{Local: k.Local, Domain: k.Domain}.Log()
}

// An Entry is what a directory has for an address: an account, or an alias for other addresses.
// Where it has both, it is the account.
type Entry struct {
	Account *Account
	// Targets are the addresses that the alias stands for, as the directory has them. It is
	// empty where Account is set, and only there.
	Targets []string
}

// A Directory finds what an address is. Implementations are safe for concurrent use, bound
// every wait of their own, and return before long when ctx ends.
type Directory interface {
	// Lookup returns the entry for the key of an address. ErrNotFound when there is none.
	Lookup(ctx context.Context, key Key) (Entry, error)
}

// ErrNotListed says that a directory cannot list its accounts, or was not configured to.
var ErrNotListed = errors.New("the accounts cannot be listed")

// A Lister also goes through all accounts, for the verbs that look at each mailbox.
type Lister interface {
	Directory
	// Accounts returns all accounts, those that take no mail among them. ErrBroken is that of one account, and others
	// follow; after any other error none does. It holds a connection for as long as it is read.
	Accounts(ctx context.Context) iter.Seq2[*Account, error]
}

// A Domain is what a directory knows of one.
type Domain struct {
	// Name is the domain as the administrator wrote it.
	Name string
	// AliasOf is the domain that this one is another name of, "" for none.
	AliasOf string
}

// A DomainDirectory also knows domains, so that the configuration need not name them.
type DomainDirectory interface {
	Directory
	// Domain returns the domain with this key (address.DomainKey). ErrNotFound when mail for it
	// is not taken.
	Domain(ctx context.Context, key string) (Domain, error)
}

// A Keyer computes the key of an address as an administrator wrote it, by the rules of its domain.
// Backends whose records are addresses, and not keys, compare by it.
type Keyer func(address string) (Key, error)

// Broken is the error for a record that makes no sense. It names the account, for the log, and is
// ErrBroken.
func Broken(account, format string, args ...any) error {
	return brokenError{fmt.Errorf("account %q: %w", account, fmt.Errorf(format, args...))}
}

type brokenError struct{ error }

// Unwrap returns what makes no sense.
func (e brokenError) Unwrap() error { return e.error }

// Is says that it is ErrBroken.
func (brokenError) Is(target error) bool { return target == ErrBroken }
