package config

import (
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// An account is a mailbox's name for comparison: the key of the domain's first name, and of
// the local part by that domain's policy.
type account struct{ domain, local string }

// checkAccounts checks what domains and users say of one another.
func (r *reader) checkAccounts(file *document) {
	domains := r.checkDomains(file)
	owners := r.checkMailboxes(domains)

	if len(r.config.Users) == 0 && !r.doubt["user"] && !r.hasDirectories() {
		r.problems.warn(place{file, -1, "user"}, "no [[user]] table and no [[directory]]: every recipient is refused", "")
	}
	for i := range r.config.Domains {
		path := "domain[" + itoa(i) + "].catch_all"
		if v, said := r.said[path]; said {
			r.checkExists(v, r.config.Domains[i].CatchAll, domains, owners)
		}
	}
	if v, said := r.said["postmaster"]; said {
		r.checkExists(v, r.config.Postmaster, domains, owners)
	} else {
		r.findPostmaster(file, domains, owners)
	}
	r.checkAliases(domains, owners)
	r.checkMaildirs(domains, owners)
}

// hasDirectories reports whether there may be accounts that the configuration does not name.
func (r *reader) hasDirectories() bool { return len(r.config.Directories) > 0 || r.doubt["directory"] }

// checkDomains finds domains that are there twice, in whichever spelling, and returns the
// index of each domain by its keys.
func (r *reader) checkDomains(file *document) map[string]int {
	if _, unlisted := r.config.Unlisted(); len(r.config.Domains) == 0 && !unlisted && !r.doubt["domain"] && !r.doubt["directory"] {
		r.problems.add(place{file, -1, "domain"}, "no [[domain]] table", `write [[domain]] and name = "example.org"`)
	}
	first := map[string]domainName{}
	index := map[string]int{}
	for _, name := range r.domains {
		if before, twice := first[name.key]; twice {
			r.problems.add(name.place, quote(name.name)+" is already "+before.place.key+" at "+before.place.String(), "")
			continue
		}
		first[name.key] = name
		index[name.key] = name.domain
		r.warnDomain(name)
	}
	return index
}

// account returns the name for comparison of a, and false where a's domain is none of ours.
func (r *reader) account(a address.Address, domains map[string]int) (account, bool, error) {
	key, err := address.DomainKey(a.Domain)
	if err != nil {
		return account{}, false, err
	}
	i, ours := domains[key]
	if !ours || len(r.config.Domains[i].Keys) == 0 {
		return account{}, false, nil
	}
	domain := r.config.Domains[i]
	local, err := domain.Policy.Key(a.Local)
	return account{domain.Keys[0], local}, true, err
}

// checkMailboxes finds addresses outside our domains and addresses that are there twice. It
// returns which user has an account.
func (r *reader) checkMailboxes(domains map[string]int) map[account]mailbox {
	owners := map[account]mailbox{}
	// Where an alias has the address of a user, it is the alias that is wrong.
	slices.SortStableFunc(r.mailboxes, func(a, b mailbox) int { return min(b.user, 0) - min(a.user, 0) })
	for _, m := range r.mailboxes {
		key, ours, err := r.account(m.address, domains)
		switch {
		case err != nil:
			r.problems.add(m.place, quote(m.address.Raw)+" cannot be an account: "+cause(err), "")
			continue
		case !ours:
			r.foreign(m.place, m.address.Domain)
			continue
		}
		if before, twice := owners[key]; twice {
			r.problems.add(m.place, quote(m.address.Raw)+" is already "+before.place.key+" at "+before.place.String(), "")
			continue
		}
		owners[key] = m
		r.warnMailbox(m, r.config.Domains[domains[key.domain]])
	}
	return owners
}

// foreign says that a domain is none of ours, where one of ours is named.
func (r *reader) foreign(at place, domain string) {
	r.foreignOr(at, domain, "write [[domain]] and name = "+quote(domain))
}

// notOurs is the hint for mail that is to go to a domain elsewhere. To make that domain one of ours, which is right
// for an account, would keep all mail for it here.
const notOurs = "Doorstep delivers to its own domains alone: forward this in the MTA, such as by virtual_alias_maps of Postfix"

// foreignOr says that a domain is none of ours, with what to do where it is not a misspelled one.
func (r *reader) foreignOr(at place, domain, hint string) {
	if _, unlisted := r.config.Unlisted(); unlisted || r.doubt["domain"] || r.doubt["directory"] {
		return
	}
	var names []string
	for _, d := range r.domains {
		names = append(names, d.name)
	}
	if meant := closest(domain, names); meant != "" {
		hint = "did you mean " + meant + "?"
	}
	r.problems.add(at, quote(domain)+" is not one of the domains", hint)
}

// checkExists checks that a is the address of a user.
func (r *reader) checkExists(v value, a address.Address, domains map[string]int, owners map[account]mailbox) {
	if a.IsNull() {
		return // a problem already
	}
	key, ours, err := r.account(a, domains)
	switch {
	case err != nil:
		r.problems.add(v.place(), quote(a.Raw)+" cannot be an account: "+cause(err), "")
	case !ours:
		r.foreignOr(v.place(), a.Domain, notOurs)
	default:
		if _, exists := owners[key]; !exists && !r.doubt["user"] && !r.hasDirectories() {
			r.problems.add(v.place(), quote(a.Raw)+" is not the address of a [[user]] or an [[alias]]", "")
		}
	}
}

// findPostmaster gives Config.Postmaster its default.
func (r *reader) findPostmaster(file *document, domains map[string]int, owners map[account]mailbox) {
	if r.doubt["domain"] || r.doubt["user"] {
		return
	}
	if len(r.config.Domains) == 0 {
		if _, unlisted := r.config.Unlisted(); unlisted {
			r.problems.warn(place{file, -1, "postmaster"}, "nobody takes mail for the postmaster, who must have a mailbox (RFC 5321 §4.5.1)",
				`write postmaster = "postmaster@example.org", with an address that the directory has`)
		}
		return
	}
	first := r.config.Domains[0]
	postmaster := address.Address{Raw: "postmaster@" + first.Name, Local: "postmaster", Domain: first.Name}
	if key, ours, err := r.account(postmaster, domains); err == nil && ours {
		if _, exists := owners[key]; exists {
			r.config.Postmaster = postmaster
			return
		}
	}
	if first.CatchAll.IsNull() && r.hasDirectories() {
		r.config.Postmaster = postmaster // a directory may have it
		return
	}
	r.config.Postmaster = first.CatchAll
	if first.CatchAll.IsNull() {
		r.problems.warn(place{file, -1, "postmaster"}, "nobody takes mail for the postmaster, who must have a mailbox (RFC 5321 §4.5.1)",
			"give a user the alias "+quote(postmaster.Raw))
	}
}

// checkMaildirs finds users whose mail the template of the store would put together.
func (r *reader) checkMaildirs(domains map[string]int, owners map[account]mailbox) {
	template := r.config.Store.Path
	if template == "" {
		return // a problem already
	}
	first := map[string]mailbox{}
	for _, m := range r.mailboxes {
		key, ours, err := r.account(m.address, domains)
		if err != nil || !ours || owners[key] != m || !r.isAccount(m) {
			continue // no account, a problem already, or an alias
		}
		home := r.config.Users[m.user].Home
		if strings.Contains(template, "{home}") && home == "" {
			r.checkHome(m)
			continue
		}
		path := strings.NewReplacer("{domain}", key.domain, "{local}", address.DiskName(key.local), "{home}", home).Replace(template)
		if before, twice := first[path]; twice {
			r.problems.add(m.place, quote(m.address.Raw)+" has the same Maildir as "+before.place.key+" at "+before.place.String(),
				"store.path tells them apart with {domain} and {local}")
			continue
		}
		first[path] = m
	}
}

// checkHome says that a user has no home directory where the store needs one, unless what
// the file says for it is a problem already.
func (r *reader) checkHome(m mailbox) {
	if _, said := r.said["user["+itoa(m.user)+"].home"]; !said {
		r.problems.add(m.place, "has no home, which store.path needs", `write home = "/home/…"`)
	}
}
