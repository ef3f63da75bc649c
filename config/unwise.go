package config

import (
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// What works, and is nevertheless asking for trouble: names that other systems refuse, or that
// pass for others. At delivery nothing of this counts, where an address exists or does not.

// warnDomain warns of a domain's name.
func (r *reader) warnDomain(name domainName) {
	// The local part has nothing to be warned of.
	for _, what := range address.Warnings(address.Address{Local: "u", Domain: name.name}) {
		r.problems.warn(name.place, quote(name.name)+": "+what, "")
	}
}

// warnMailbox warns of the local part of an account or alias.
func (r *reader) warnMailbox(m mailbox, domain Domain) {
	for _, what := range address.Warnings(address.Address{Local: m.address.Local}) {
		r.problems.warn(m.place, quote(m.address.Raw)+": "+what, "")
	}
	if !r.isAccount(m) {
		return // an alias with a detail is how one detail goes elsewhere
	}
	if user, detail, split := address.SplitDetail(m.address.Local, domain.Subaddress); split {
		delimiter := m.address.Local[len(user) : len(m.address.Local)-len(detail)]
		r.problems.warn(m.place, quote(m.address.Raw)+" has the delimiter "+quote(delimiter)+" of its domain in it: with a detail behind, it is the detail of "+quote(user),
			"leave "+quote(delimiter)+" out of subaddress, or choose another name")
	}
}
