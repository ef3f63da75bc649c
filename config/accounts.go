package config

import (
	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// Accounts are the domains and accounts of a configuration, and where further ones are.
type Accounts struct {
	Domains []Domain
	Users   []User
	Aliases []Alias
	// Directories are asked after Users, in order.
	Directories []Directory
}

// Unlisted returns the rules for domains that only a directory knows: those of the first directory that knows any.
// It returns false if none does.
func (a *Accounts) Unlisted() (Domain, bool) {
	for _, d := range a.Directories {
		if d.KnowsDomains() {
			return d.Domains, true
		}
	}
	return Domain{Policy: address.LocalPolicy{Fold: true}}, false
}

// names are the domains and addresses that the configuration itself has, for what refers to them.
type names struct {
	in       *table.Input
	accounts *Accounts
	limits   Limits
	// unlisted is set if a directory may have domains that no [[domain]] names.
	unlisted bool

	domains   map[string]int // index of each domain by its keys
	addresses []ownAddress
	owners    map[account]ownAddress
}

// An account is a mailbox's name for comparison: the key of the domain's first name, and of the local part by that
// domain's policy.
type account struct{ domain, local string }

func (a account) String() string { return a.local + "@" + a.domain }

// An ownAddress is an address of a user or an alias, and where the file says it.
type ownAddress struct {
	at      *table.Value
	address address.Address
	user    int // index in Accounts.Users, noUser for an [[alias]]
}

// noUser is the user of an address that stands for others.
const noUser = -1

// checkNames checks domains, users and aliases, and what they say of one another.
func checkNames(in *table.Input, a *Accounts, limits Limits) *names {
	_, unlisted := a.Unlisted()
	n := &names{in: in, accounts: a, limits: limits, unlisted: unlisted,
		domains: map[string]int{}, owners: map[account]ownAddress{}}
	n.checkDomains()
	n.checkAddresses()
	if len(a.Users) == 0 && !in.Suspect("user") && !n.hasDirectories() {
		in.Warn("user", "no [[user]] table and no [[directory]]: every recipient is refused", "")
	}
	for i, d := range a.Domains {
		if v := in.Element("domain", i).Value("catch_all"); v != nil {
			n.checkExists(v, d.CatchAll)
		}
	}
	n.checkAliases()
	return n
}

// hasDirectories reports whether there may be accounts that the configuration does not name.
func (n *names) hasDirectories() bool {
	return len(n.accounts.Directories) > 0 || n.in.Suspect("directory")
}

// checkDomains sets the keys of domains, and finds domains that are there twice, in whichever spelling.
func (n *names) checkDomains() {
	if len(n.accounts.Domains) == 0 && !n.hasUnknownDomains() {
		n.in.Add("domain", "no [[domain]] table", `write [[domain]] and name = "example.org"`)
	}
	first := map[string]*table.Value{}
	for i := range n.accounts.Domains {
		d, t := &n.accounts.Domains[i], n.in.Element("domain", i)
		spellings := t.Elements("aliases")
		if d.Name != "" {
			spellings = append([]*table.Value{t.Value("name")}, spellings...)
		}
		for _, v := range spellings {
			name := v.Data.(string)
			key, err := address.DomainKey(name)
			if err != nil {
				continue // a problem already
			}
			d.Keys = append(d.Keys, key)
			if before := first[key]; before != nil {
				v.Add(hint.Quote(name)+" is already "+before.Key+" at "+before.Where(), "")
				continue
			}
			first[key], n.domains[key] = v, i
			warnDomain(v, name)
		}
	}
}

// hasUnknownDomains reports whether there may be domains that the configuration does not name.
func (n *names) hasUnknownDomains() bool {
	return n.unlisted || n.in.Suspect("domain") || n.in.Suspect("directory")
}

// hasDomain reports whether a [[domain]] has a name, in whichever spelling.
func (n *names) hasDomain(name string) bool {
	key, err := address.DomainKey(name)
	_, ours := n.domains[key]
	return err == nil && ours
}

// account returns the name of a for comparison, and false if a's domain is none of ours.
func (n *names) account(a address.Address) (account, bool, error) {
	key, err := address.DomainKey(a.Domain)
	if err != nil {
		return account{}, false, err
	}
	i, ours := n.domains[key]
	if !ours {
		return account{}, false, nil
	}
	domain := n.accounts.Domains[i]
	local, err := domain.Policy.Key(a.Local)
	return account{domain.Keys[0], local}, true, err
}

// listAddresses collects the addresses of users, and then of aliases: of two that are equal, the later is wrong.
func (n *names) listAddresses() {
	add := func(v *table.Value, a address.Address, user int) {
		if v != nil && !a.IsNull() {
			n.addresses = append(n.addresses, ownAddress{v, a, user})
		}
	}
	for i, u := range n.accounts.Users {
		t := n.in.Element("user", i)
		add(t.Value("address"), u.Address, i)
		for j, v := range t.Elements("aliases") {
			add(v, u.Aliases[j], i)
		}
	}
	for i, a := range n.accounts.Aliases {
		add(n.in.Element("alias", i).Value("address"), a.Address, noUser)
	}
}

// checkAddresses finds addresses outside our domains and addresses that are there twice.
func (n *names) checkAddresses() {
	n.listAddresses()
	for _, m := range n.addresses {
		key, ours, err := n.account(m.address)
		switch {
		case err != nil:
			m.at.Add(hint.Quote(m.address.Raw)+" cannot be an account: "+cause(err), "")
			continue
		case !ours:
			n.refuseForeign(m.at, m.address.Domain, writeDomain+hint.Quote(m.address.Domain))
			continue
		}
		if before, taken := n.owners[key]; taken {
			m.at.Add(hint.Quote(m.address.Raw)+" is already "+before.at.Key+" at "+before.at.Where(), "")
			continue
		}
		n.owners[key] = m
		n.warnAddress(m, n.accounts.Domains[n.domains[key.domain]])
	}
}

// isAccount reports whether m is the address of a user itself, and no alias.
func (n *names) isAccount(m ownAddress) bool {
	return m.user != noUser && m.address == n.accounts.Users[m.user].Address
}

// What to do about a domain that is none of ours. An account's can become one. Mail that is to go elsewhere must not
// make it one, as that would keep all mail for it here.
const (
	writeDomain = "write [[domain]] and name = "
	notOurs     = "Doorstep delivers to its own domains alone: forward this in the MTA, " +
		"such as by virtual_alias_maps of Postfix"
)

// refuseForeign says that a domain is none of ours. suggestion is for one that is not misspelled.
func (n *names) refuseForeign(v *table.Value, domain, suggestion string) {
	if n.hasUnknownDomains() {
		return
	}
	var known []string
	for _, d := range n.accounts.Domains {
		if d.Name != "" {
			known = append(known, d.Name)
		}
		known = append(known, d.Aliases...)
	}
	if meant := hint.Closest(domain, known); meant != "" {
		suggestion = "did you mean " + meant + "?"
	}
	v.Add(hint.Quote(domain)+" is not one of the domains", suggestion)
}

// checkExists checks that a is the address of an account or an alias, with or without a detail.
func (n *names) checkExists(v *table.Value, a address.Address) {
	if a.IsNull() {
		return // a problem already
	}
	_, ours, err := n.account(a)
	switch {
	case err != nil:
		v.Add(hint.Quote(a.Raw)+" cannot be an account: "+cause(err), "")
	case !ours:
		n.refuseForeign(v, a.Domain, notOurs)
	default:
		if _, exists := n.owner(a); !exists && !n.in.Suspect("user") && !n.hasDirectories() {
			v.Add(hint.Quote(a.Raw)+" is not the address of a [[user]] or an [[alias]]", "")
		}
	}
}

// owner returns the name of the account or alias that mail for a comes to: that of the whole address, or else of the
// address without its detail.
func (n *names) owner(a address.Address) (account, bool) {
	key, ours, err := n.account(a)
	if err != nil || !ours {
		return account{}, false
	}
	if _, exists := n.owners[key]; exists {
		return key, true
	}
	user, _, split := address.SplitDetail(a.Local, n.accounts.Domains[n.domains[key.domain]].Subaddress)
	if !split {
		return account{}, false
	}
	key, _, err = n.account(address.Address{Local: user, Domain: a.Domain})
	_, exists := n.owners[key]
	return key, exists && err == nil
}

// checkSystemDomains checks that each domain of system accounts is one of ours.
func (n *names) checkSystemDomains() {
	for i, d := range n.accounts.Directories {
		if d.Driver != SystemAccounts {
			continue
		}
		for j, v := range n.in.Element("directory", i).Elements("domains") {
			if name := d.System.Domains[j]; !n.hasDomain(name) {
				n.refuseForeign(v, name, writeDomain+hint.Quote(name))
			}
		}
	}
}

// checkMaildirs finds users that would share a Maildir by the template of the store, or have none.
func (n *names) checkMaildirs(s Store) {
	if s.Path == "" {
		return // a problem already
	}
	first := map[string]ownAddress{}
	for _, m := range n.addresses {
		key, ours, err := n.account(m.address)
		if err != nil || !ours || n.owners[key] != m || !n.isAccount(m) {
			continue // no account, a problem already, or an alias
		}
		home := n.accounts.Users[m.user].Home
		if s.needsHome() && home == "" {
			if !n.in.Element("user", m.user).Sets("home") { // else a problem already
				m.at.Add("has no home, which store.path needs", `write home = "/home/…"`)
			}
			continue
		}
		path := s.maildir(key.domain, address.DiskName(key.local), home)
		if before, taken := first[path]; taken {
			m.at.Add(hint.Quote(m.address.Raw)+" has the same Maildir as "+before.at.Key+" at "+before.at.Where(),
				"store.path tells them apart with {domain} and {local}")
			continue
		}
		first[path] = m
	}
}

// Warnings are about names that work, but that other systems refuse or that pass for others. They do not matter at
// delivery, when an address exists or does not.

func warnDomain(v *table.Value, name string) {
	// The local part is one that nothing is wrong with.
	for _, what := range address.Warnings(address.Address{Local: "u", Domain: name}) {
		v.Warn(hint.Quote(name)+": "+what, "")
	}
}

// warnAddress warns of the local part of an account or alias.
func (n *names) warnAddress(m ownAddress, domain Domain) {
	name := hint.Quote(m.address.Raw)
	for _, what := range address.Warnings(address.Address{Local: m.address.Local}) {
		m.at.Warn(name+": "+what, "")
	}
	if !n.isAccount(m) {
		return // an alias with a detail is how one detail goes elsewhere
	}
	if user, detail, split := address.SplitDetail(m.address.Local, domain.Subaddress); split {
		delimiter := hint.Quote(m.address.Local[len(user) : len(m.address.Local)-len(detail)])
		m.at.Warn(name+" has the delimiter "+delimiter+" of its domain in it: the part after it is the detail of "+
			hint.Quote(user), "leave "+delimiter+" out of subaddress, or choose another name")
	}
}
