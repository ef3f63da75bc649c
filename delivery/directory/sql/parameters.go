package sql

import (
	"slices"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// Parameters are the names that can stand in a query, each after a colon.
//
//	address           local@domain, the domain in A-labels; @domain for a catch-all
//	address_unicode   the same, the domain in U-labels
//	local             the local part, without quotes; empty for a catch-all
//	domain            the domain in A-labels
//	domain_unicode    the domain in U-labels
//
// They are keys: in lower case where the domain folds case, in normalization form C.
var Parameters = []string{"address", "address_unicode", "local", "domain", "domain_unicode"}

// parameters are the values for one lookup, in the order of Parameters.
type parameters [5]string

func (p parameters) named(name string) string { return p[slices.Index(Parameters, name)] }

// aboutAddress returns the parameters for a key, and false for one that no database has.
func aboutAddress(key directory.Key) (parameters, bool) {
	if !isText(key.Local) || !isText(key.Domain) || key.Domain == "" {
		return parameters{}, false
	}
	unicode := address.DomainUnicode(key.Domain)
	of := func(domain string) string {
		if key.Local == "" {
			return "@" + domain
		}
		return address.Address{Local: key.Local, Domain: domain}.String()
	}
	return parameters{of(key.Domain), of(unicode), key.Local, key.Domain, unicode}, true
}

// aboutDomain returns the parameters for a domain.
func aboutDomain(key string) (parameters, bool) { return aboutAddress(directory.Key{Domain: key}) }

// inALabels has the domain in A-labels throughout.
func (p parameters) inALabels() parameters { return parameters{p[0], p[0], p[2], p[3], p[3]} }
