package config

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/address"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
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

// A ClaimedTwice says what becomes of mail for an address that two directories have.
type ClaimedTwice string

// What becomes of it.
const (
	DeferTwice  ClaimedTwice = "defer"
	FirstCounts ClaimedTwice = "first"
)

// A Directory is one [[directory]] table: a database of accounts. Its drivers read what they
// need of it.
type Directory struct {
	Driver Driver
	// Name is what the log calls it, the driver's by default.
	Name string
	// File is absolute.
	File string
	// DefaultDomain is the domain of accounts that are named without one; "" for none.
	DefaultDomain string
	// CacheTTL, NegativeTTL and Stale are how long answers count: of accounts, of their absence,
	// and of accounts while the database is down.
	CacheTTL, NegativeTTL, Stale time.Duration
	// Timeout bounds one question.
	Timeout time.Duration
	// ClaimedTwice is what becomes of an address that one before it has too.
	ClaimedTwice ClaimedTwice
	// Domains are the rules for the domains that only the database knows.
	Domains Domain
	// Database is for drivers of SQL.
	Database Database
	// LDAP and System are for the drivers of these names.
	LDAP   LDAP
	System System
}

// KnowsDomains reports whether the directory may have domains that no [[domain]] names.
func (d Directory) KnowsDomains() bool {
	if d.Driver == LDAPDriver {
		return d.isIRedMail() || d.LDAP.Filters["domain_filter"] != ""
	}
	if d.Database.UserQuery != "" {
		return d.Database.DomainQuery != ""
	}
	return slices.Contains(domainDrivers, d.Driver)
}

// KnowsOwners reports whether the directory may say since when an account has its owner.
func (d Directory) KnowsOwners() bool {
	return slices.Contains(sqlDrivers, d.Driver) && (d.Database.UserQuery != "" || d.Database.Schema == schemas[0])
}

// IsCached reports whether answers of the directory are remembered: it is asked over a wire, or
// reads a disk.
func (d Directory) IsCached() bool { return slices.Contains(databaseDrivers, d.Driver) }

// domainDrivers are the drivers that know domains, databaseDrivers those that are not in memory.
var (
	domainDrivers   = []Driver{SQLite, Postgres, MySQL, LDAPDriver}
	databaseDrivers = []Driver{SQLite, Postgres, MySQL, LDAPDriver, SystemAccounts}
)

func beginDirectory(r *reader) int {
	r.config.Directories = append(r.config.Directories, Directory{})
	last := len(r.config.Directories) - 1
	r.directory = &r.config.Directories[last]
	r.domain = &r.directory.Domains // the keys of a [[domain]] that can stand here are read into it
	return last
}

// forDrivers marks a key that only some drivers read.
func forDrivers(k key, drivers ...Driver) key {
	k.drivers = drivers
	return k
}

// forEach is forDrivers for several keys.
func forEach(keys []key, drivers ...Driver) []key {
	for i := range keys {
		keys[i] = forDrivers(keys[i], drivers...)
	}
	return keys
}

// directorySection describes [[directory]].
func directorySection() section {
	return section{
		name: "directory", array: true, begin: beginDirectory,
		doc: "A database of accounts. Several are asked in order, behind the accounts of this file, and an address belongs in one of them. One that cannot answer defers the mail.",
		keys: append([]key{
			{
				name: "driver", kind: choice(func(r *reader) *Driver { return &r.directory.Driver }, option[Driver]{"passwd-file", PasswdFile}, option[Driver]{"sqlite", SQLite},
					option[Driver]{"postgres", Postgres}, option[Driver]{"mysql", MySQL},
					option[Driver]{"ldap", LDAPDriver}, option[Driver]{"system", SystemAccounts}),
				example: `"sqlite"`, required: true,
				doc: "What kind of database it is.",
			},
			{
				name: "name", kind: text("a name", readDirectoryName), example: `"accounts"`,
				doc: "What the log calls it. Default: the driver's name.",
			},
			forDrivers(key{
				name: "cache_ttl", kind: duration(0, 24*time.Hour, func(r *reader) *time.Duration { return &r.directory.CacheTTL }), fallback: `"1m"`,
				doc: "How long an account is remembered, and a change of it may stay unseen. \"0s\" asks each time.",
			}, databaseDrivers...),
			forDrivers(key{
				name: "negative_ttl", kind: duration(0, 24*time.Hour, func(r *reader) *time.Duration { return &r.directory.NegativeTTL }), fallback: `"10s"`,
				doc: "How long it is remembered that there is no such account, and a new one must wait.",
			}, databaseDrivers...),
			forDrivers(key{
				name: "stale", kind: duration(0, 7*24*time.Hour, func(r *reader) *time.Duration { return &r.directory.Stale }), fallback: `"0s"`,
				doc: "For how much longer a remembered account counts while the database does not answer. Default: its mail is deferred.",
			}, databaseDrivers...),
			forDrivers(key{
				name: "timeout", kind: duration(100*time.Millisecond, 5*time.Minute, func(r *reader) *time.Duration { return &r.directory.Timeout }), fallback: `"5s"`,
				doc: "How long one question may take.",
			}, databaseDrivers...),
			{
				name: "claimed_twice", fallback: `"defer"`,
				kind: choice(func(r *reader) *ClaimedTwice { return &r.directory.ClaimedTwice }, option[ClaimedTwice]{"defer", DeferTwice}, option[ClaimedTwice]{"first", FirstCounts}),
				doc:  "What becomes of mail for an address that this directory has, and so has one before it: defer until it is in one of them only, or leave it to the first, such as while mailboxes are moved from this directory to that one. See sqlite.md.",
			},
			forDrivers(key{
				name: "file", kind: file(func(r *reader) *string { return &r.directory.File }), example: `"/etc/dovecot/users"`,
				examples: map[Driver]string{SQLite: `"/var/lib/doorstep/accounts.db"`},
				doc:      "passwd-file: the file. It is read again when it has changed and has been left alone for a second. sqlite: the database. doorstep domain add makes it. system: a file such as /etc/passwd, instead of asking getent.",
			}, PasswdFile, SQLite, SystemAccounts),
			forDrivers(key{
				name: "default_domain", kind: text("a domain", readDefaultDomain), example: `"example.org"`,
				doc: "The domain of accounts that are named without one. Default: such accounts are not used.",
			}, PasswdFile),
		}, slices.Concat(databaseKeys(), ldapKeys(), systemKeys(), forEach(domainRules(), domainDrivers...))...),
		sample: []string{`driver = "sqlite"`, `file = "/var/lib/doorstep/accounts.db"`},
	}
}

func readDirectoryName(r *reader, v value, s string) {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.problems.add(v.place(), "must be printable ASCII without spaces", "")
		return
	}
	r.directory.Name = s
}

func readDefaultDomain(r *reader, v value, s string) {
	if _, ok := r.readDomain(v, s); ok {
		r.directory.DefaultDomain = s
	}
}

// checkDirectories checks what the keys of each directory say of one another.
func (r *reader) checkDirectories() {
	first := map[string]int{}
	for i := range r.config.Directories {
		d := &r.config.Directories[i]
		if d.Driver == "" {
			continue // a problem already
		}
		path := "directory[" + itoa(i) + "]"
		r.checkDriver(d, path)
		r.checkDatabase(d, path)
		r.checkLDAP(d, path)
		r.checkSystemAccounts(d, path)
		if d.Name == "" {
			d.Name = string(d.Driver)
		}
		if before, twice := first[d.Name]; twice {
			v := r.said[path]
			if said, ok := r.said[path+".name"]; ok {
				v = said
			}
			r.problems.add(v.place(), quote(d.Name)+" is already the name of directory["+itoa(before)+"]", `give one of them another name`)
			continue
		}
		first[d.Name] = i
	}
}

// checkDriver finds keys that the driver does not read, and those it needs.
func (r *reader) checkDriver(d *Directory, path string) {
	for _, k := range sectionNamed("directory").keys {
		v, said := r.said[path+"."+k.name]
		switch {
		case said && k.drivers != nil && !slices.Contains(k.drivers, d.Driver):
			r.problems.add(v.name(), "is not for driver "+quote(string(d.Driver)), "")
		case !said && slices.Contains(neededKeys[d.Driver], k.name) && !r.doubt[path+"."+k.name]:
			r.problems.add(r.said[path].name(), k.name+" is missing, which driver "+quote(string(d.Driver))+" needs", "write "+k.name+" = "+cmp.Or(k.examples[d.Driver], k.example))
		}
	}
}

// neededKeys are the keys without which a driver cannot be used.
var neededKeys = map[Driver][]string{
	PasswdFile:     {"file"},
	SQLite:         {"file"},
	Postgres:       {"database", "user"},
	MySQL:          {"database", "user"},
	LDAPDriver:     {"servers", "base"},
	SystemAccounts: {"domains"},
}

// Unlisted are the rules for domains that only a directory knows: those of the first that
// knows any; false where none does.
func (c *Config) Unlisted() (Domain, bool) {
	for _, d := range c.Directories {
		if d.KnowsDomains() {
			return d.Domains, true
		}
	}
	return Domain{Policy: address.LocalPolicy{Fold: true}}, false
}

// checkDirectoryFiles checks the files of the directories. report takes what is wrong with the
// value at a path.
func (c *Config) checkDirectoryFiles(report func(path string, err error)) {
	for i, d := range c.Directories {
		path := "directory[" + itoa(i) + "]."
		if d.File != "" {
			err := checkReadable(d.File)
			if d.Driver == SQLite && errors.Is(err, fs.ErrNotExist) {
				err = fault{"there is no " + quote(d.File), "doorstep domain add NAME makes it, with its first domain"}
			}
			report(path+"file", err)
		}
		if d.Database.PasswordFile != "" {
			report(path+"password_file", checkSecret(d.Database.PasswordFile))
		}
		if d.Database.TLSCA != "" {
			_, err := keypair.Authorities(d.Database.TLSCA)
			report(path+"tls_ca", err)
		}
	}
}

// checkReadable checks that a file is there and can be read.
func checkReadable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New(quote(path) + " is not a regular file") // to open a pipe could take for ever
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
