package config

import (
	"math"
	"slices"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A System says which accounts of the operating system have mail. The file that has them, if it
// is not getent that is asked, is the Directory's.
type System struct {
	// Domains are those whose local parts are names of accounts.
	Domains []string
	// FirstUID and LastUID bound the accounts with mail.
	FirstUID, LastUID int
	// RefusedShells are those of accounts that take no mail.
	RefusedShells []string
	// Canary is an account that must be there; "" for none.
	Canary string
}

// systemKeys are the keys of a [[directory]] of system accounts.
func systemKeys() []key {
	return forEach([]key{
		{
			name: "domains", kind: list("domains", beginSystemDomains, readSystemDomain), example: `["example.org"]`,
			doc: "The domains whose local parts are names of accounts.",
		},
		{
			name: "first_valid_uid", kind: count(1, math.MaxInt32, func(r *reader) *int { return &r.directory.System.FirstUID }), fallback: "1000",
			doc: "Accounts below are the system's own, and have no mail.",
		},
		{
			name: "last_valid_uid", kind: count(1, math.MaxInt32, func(r *reader) *int { return &r.directory.System.LastUID }), fallback: "60000",
			doc: "So are accounts above.",
		},
		{
			name: "refused_shells", kind: list("paths", ignoreLength, func(r *reader, v value, s string) {
				r.directory.System.RefusedShells = append(r.directory.System.RefusedShells, s)
			}), fallback: "[]", example: `["/usr/sbin/nologin", "/bin/false"]`,
			doc: "Login shells of accounts that take no mail.",
		},
		{
			name: "canary", kind: text("an account", func(r *reader, v value, s string) { r.directory.System.Canary = s }), example: `"canary"`,
			doc: "An account that must be there. While it is not, nobody is taken to be unknown: getent does not tell an account that is missing from a service that is down.",
		},
	}, SystemAccounts)
}

func beginSystemDomains(r *reader, v value, length int) {
	if length == 0 {
		r.problems.add(v.place(), "no domain is named", "")
	}
}

func readSystemDomain(r *reader, v value, s string) {
	if _, ok := r.readDomain(v, s); ok {
		r.directory.System.Domains = append(r.directory.System.Domains, s)
	}
}

// isOurs reports whether a [[domain]] has a name, in either spelling.
func (r *reader) isOurs(name string) bool {
	key, err := address.DomainKey(name)
	return err == nil && slices.ContainsFunc(r.config.Domains, func(d Domain) bool { return slices.Contains(d.Keys, key) })
}

// checkSystemAccounts checks what the keys of a directory of system accounts say of one another.
func (r *reader) checkSystemAccounts(d *Directory, path string) {
	if d.Driver != SystemAccounts {
		return
	}
	if v, said := r.said[path+".last_valid_uid"]; said && d.System.LastUID < d.System.FirstUID {
		r.problems.add(v.place(), "is below first_valid_uid: no account has mail", "")
	}
	for i, name := range d.System.Domains {
		if v, said := r.said[path+".domains["+itoa(i)+"]"]; said && !r.isOurs(name) {
			r.foreign(v.place(), name)
		}
	}
}
