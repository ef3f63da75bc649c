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
}

// New returns an empty directory.
func New() *Directory {
	return &Directory{accounts: make(map[directory.Key]*directory.Account)}
}

// Add makes an account known by its own key and those of its aliases. A key that another
// account has is an error: it would be a matter of luck which of them gets the mail.
func (d *Directory) Add(a *directory.Account, aliases ...directory.Key) error {
	for _, key := range append([]directory.Key{a.Key}, aliases...) {
		if other, taken := d.accounts[key]; taken && other != a {
			return fmt.Errorf("account %s: %s is already %s", a.Address, key, other.Address)
		}
		d.accounts[key] = a
	}
	return nil
}

// Lookup finds an account by its key or that of an alias.
func (d *Directory) Lookup(_ context.Context, key directory.Key) (*directory.Account, error) {
	if a, ok := d.accounts[key]; ok {
		return a, nil
	}
	return nil, directory.ErrNotFound
}
