// Package static is a directory of accounts that are written in the configuration itself.
package static

import (
	"context"
	"fmt"

	"github.com/doorstep-mail/doorstep/delivery/directory"
)

// A Directory is a fixed set of accounts. Fill it with Add before its first Lookup.
type Directory struct {
	accounts map[directory.Key]*directory.Account
	aliases  map[directory.Key][]string
}

// New returns an empty directory.
func New() *Directory {
	return &Directory{accounts: make(map[directory.Key]*directory.Account), aliases: make(map[directory.Key][]string)}
}

// Add makes an account known by its own key and those of its aliases. A key that another
// account has is an error: it would be a matter of luck which of them gets the mail.
func (d *Directory) Add(a *directory.Account, aliases ...directory.Key) error {
	for _, key := range append([]directory.Key{a.Key}, aliases...) {
		if other, taken := d.accounts[key]; taken && other != a {
			return fmt.Errorf("account %s: %s is already %s", a.Address, key, other.Address)
		}
		if _, taken := d.aliases[key]; taken {
			return fmt.Errorf("account %s: %s is already an alias", a.Address, key)
		}
		d.accounts[key] = a
	}
	return nil
}

// AddAlias makes an address known that stands for others.
func (d *Directory) AddAlias(key directory.Key, targets ...string) error {
	if other, taken := d.accounts[key]; taken {
		return fmt.Errorf("alias %s: is already %s", key, other.Address)
	}
	if _, taken := d.aliases[key]; taken {
		return fmt.Errorf("alias %s: is there already", key)
	}
	d.aliases[key] = targets
	return nil
}

// Lookup finds an account by its key or that of an alias.
func (d *Directory) Lookup(_ context.Context, key directory.Key) (directory.Entry, error) {
	if a, ok := d.accounts[key]; ok {
		return directory.Entry{Account: a}, nil
	}
	if targets, ok := d.aliases[key]; ok {
		return directory.Entry{Targets: targets}, nil
	}
	return directory.Entry{}, directory.ErrNotFound
}
