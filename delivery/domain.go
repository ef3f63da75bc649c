package delivery

import (
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A Domain is one that mail is taken for, with its rules for local parts.
type Domain struct {
	// Name is the domain as the administrator wrote it.
	Name string
	// Key is address.DomainKey of Name: A-labels in lower case.
	Key string
	// Policy says when two local parts are the same.
	Policy address.LocalPolicy
	// Subaddress holds the delimiters of subaddresses; "" for none.
	Subaddress string
	// DetailFolders delivers into the folder that a subaddress's detail names, if it is there.
	DetailFolders bool
	// CatchAll is the account for addresses that no other matches; the zero Key for none.
	CatchAll directory.Key
}

// Domains finds a Domain by the key of any of its names.
type Domains map[string]*Domain

// Add makes d known by its own key and those of its aliases.
func (ds Domains) Add(d *Domain, aliasKeys ...string) error {
	for _, key := range append([]string{d.Key}, aliasKeys...) {
		if other, taken := ds[key]; taken {
			return fmt.Errorf("domain %s: already a name of %s", key, other.Name)
		}
		ds[key] = d
	}
	return nil
}

// ErrNoDomain says that an address is not in any domain of ours.
var ErrNoDomain = errors.New("not a domain of ours")

// Key gives the key by which an account of these domains is found, for an address written by
// an administrator.
func (ds Domains) Key(a address.Address) (directory.Key, error) {
	domainKey, err := address.DomainKey(a.Domain)
	if err != nil {
		return directory.Key{}, err
	}
	d, ok := ds[domainKey]
	if !ok {
		return directory.Key{}, fmt.Errorf("%s: %w", a.Domain, ErrNoDomain)
	}
	local, err := d.Policy.Key(a.Local)
	if err != nil {
		return directory.Key{}, err
	}
	return directory.Key{Local: local, Domain: d.Key}, nil
}
