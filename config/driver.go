package config

import (
	"slices"

	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A Driver is what a directory keeps its accounts in.
type Driver string

// The drivers.
const (
	PasswdFile Driver = "passwd-file"
	SQLite     Driver = "sqlite"
	Postgres   Driver = "postgres"
	MySQL      Driver = "mysql"
	// LDAPDriver is for accounts in LDAP, SystemAccounts for those of the operating system.
	LDAPDriver     Driver = "ldap"
	SystemAccounts Driver = "system"
)

// A driver is a row of the table of drivers.
type driver struct {
	name   Driver
	traits trait
	// needs are the keys that must be set, beside those of every directory.
	needs []string
	// example, if not "", is that of the first of them, in the place of the key's own.
	example string
	// check checks what the keys of a directory say of one another; nil if there is nothing to check.
	check func(d *Directory, t table.Table)
}

// A trait is a property of drivers. Most have keys of their own.
type trait uint

const (
	cached       trait = 1 << iota // answers are remembered: it is asked over a network, or reads a disk
	fileBased                      // the accounts are in a file
	localNames                     // accounts may be named without a domain
	serverBased                    // a database on a server
	networked                      // it is asked over a network, and may want a password
	withSchema                     // it may have tables or entries of a known form
	sqlBased                       // it takes queries in SQL
	ldapBased                      // it takes filters of LDAP
	systemBased                    // the accounts are those of the operating system
	knowsDomains                   // it may have domains that no [[domain]] names

	sqlServer = cached | serverBased | networked | withSchema | sqlBased | knowsDomains
)

// drivers are all drivers, in the order of the reference.
var drivers = []driver{
	{name: PasswdFile, traits: fileBased | localNames, needs: []string{"file"}},
	{
		name: SQLite, traits: cached | fileBased | withSchema | sqlBased | knowsDomains,
		needs: []string{"file"}, example: `"/var/lib/doorstep/accounts.db"`,
	},
	{name: Postgres, traits: sqlServer, needs: []string{"database", "user"}, check: (*Directory).checkServer},
	{name: MySQL, traits: sqlServer, needs: []string{"database", "user"}, check: (*Directory).checkServer},
	{
		name: LDAPDriver, traits: cached | networked | withSchema | ldapBased | knowsDomains,
		needs: []string{"servers", "base"}, check: (*Directory).checkLDAP,
	},
	{
		name: SystemAccounts, traits: cached | fileBased | systemBased,
		needs: []string{"domains"}, check: (*Directory).checkSystemAccounts,
	},
}

// row returns the row of a driver, which is empty for a driver that does not exist.
func (d Driver) row() driver {
	if i := slices.IndexFunc(drivers, func(row driver) bool { return row.name == d }); i >= 0 {
		return drivers[i]
	}
	return driver{}
}

// has reports whether a driver has all of these traits.
func (d Driver) has(t trait) bool { return d.row().traits&t == t }

func driverNames() (names []Driver) {
	for _, row := range drivers {
		names = append(names, row.name)
	}
	return names
}
