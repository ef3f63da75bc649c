package route

import (
	"context"
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp"
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
	// Details says what becomes of mail with a subaddress's detail.
	Details Details
	// CatchAll takes the mail for addresses that no other matches; the zero Named for none.
	CatchAll Named
}

// A Named is an address that the configuration names as the one that takes mail for others.
type Named struct {
	// Key is that of the whole address. The zero Key is that of no address.
	directory.Key
	// WithoutDetail is the key without the subaddress, of a domain with these rules; zero where there is none.
	WithoutDetail directory.Key
	Domain        *Domain
	Detail        string
}

// Named finds the keys of an address that the configuration names.
func (r *Resolver) Named(a address.Address) (Named, error) {
	key, err := r.Key(a)
	if err != nil {
		return Named{}, err
	}
	n := Named{Key: key, Domain: r.rules(a.Domain)}
	if user, detail, ok := address.SplitDetail(a.Local, n.Domain.Subaddress); ok {
		n.Detail = detail
		n.WithoutDetail, err = n.Domain.key(user, key.Domain)
	}
	return n, err
}

// appendTo appends the accounts and aliases that it may be.
func (n Named) appendTo(candidates []candidate, rule string) []candidate {
	return append(candidates, candidate{rule: rule, key: n.Key},
		candidate{rule: rule, key: n.WithoutDetail, in: n.Domain, detail: n.Detail})
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

// Key returns the key by which an account of these domains is found, for an address written by
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
	return d.key(a.Local, d.Key)
}

// Key is Domains.Key, also for domains that only the directory knows.
func (r *Resolver) Key(a address.Address) (directory.Key, error) {
	key, err := r.Domains.Key(a)
	if r.Unlisted == nil || !errors.Is(err, ErrNoDomain) {
		return key, err
	}
	domainKey, err := address.DomainKey(a.Domain)
	if err != nil {
		return directory.Key{}, err
	}
	return r.Unlisted.key(a.Local, domainKey)
}

// key returns the key of a local part by the rules of d.
func (d *Domain) key(local, domainKey string) (directory.Key, error) {
	key, err := d.Policy.Key(local)
	if err != nil {
		return directory.Key{}, err
	}
	return directory.Key{Local: key, Domain: domainKey}, nil
}

// rules returns the rules for a domain as it is written, nil when it is none of ours as far as
// is known without a lookup.
func (r *Resolver) rules(domain string) *Domain {
	key, err := address.DomainKey(domain)
	if err != nil {
		return nil
	}
	if d, ok := r.Domains[key]; ok {
		return d
	}
	return r.Unlisted
}

// maxDomainAliases bounds domains that are another name of another name.
const maxDomainAliases = 4

// domain finds the domain of an address: one that the configuration names, or one that the
// directory knows.
func (x *expansion) domain(ctx context.Context, to address.Address) (*Domain, error) {
	name := to.Domain
	for range maxDomainAliases {
		key, err := address.DomainKey(name)
		if err != nil {
			x.note("domain", name, "not one of ours")
			return nil, noDomain(err)
		}
		if d, ok := x.resolver.Domains[key]; ok {
			x.noteDomain("domain", key, d.Name)
			return d, nil
		}
		known, err := x.known(ctx, key)
		switch {
		case errors.Is(err, directory.ErrNotFound):
			x.note("domain", name, "not one of ours")
			return nil, noDomain(nil)
		case err != nil:
			x.noteDomain("domain", key, err.Error())
			return nil, notNow(fmt.Errorf("look up domain %s: %w", address.DomainUnicode(key), err))
		case known.AliasOf == "":
			x.noteDomain("domain", key, known.Name)
			d := *x.resolver.Unlisted
			d.Name, d.Key = known.Name, key
			return &d, nil
		}
		x.noteDomain("domain alias", key, known.AliasOf)
		name = known.AliasOf
	}
	return nil, notNow(fmt.Errorf("domain %s: more than %d domains that are another's name", to.Domain, maxDomainAliases))
}

// known asks the directory for a domain, where it knows any.
func (x *expansion) known(ctx context.Context, key string) (directory.Domain, error) {
	knower, ok := x.resolver.Directory.(directory.DomainDirectory)
	if !ok || x.resolver.Unlisted == nil {
		return directory.Domain{}, directory.ErrNotFound
	}
	return knower.Domain(ctx, key)
}

func noDomain(cause error) error {
	return &lmtp.Error{Code: 550, Enhanced: "5.1.2", Text: "no such domain here", Rule: "domain", Cause: cause}
}
