package config

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A Directory is one [[directory]] table: a database of accounts. Its drivers read what they need of it.
type Directory struct {
	Driver Driver
	// Name is what the log calls it, the driver's by default.
	Name string
	// File is absolute.
	File string
	// DefaultDomain is the domain of accounts that are named without one; "" for none.
	DefaultDomain string
	// CacheTTL, NegativeTTL and Stale are how long answers count: of accounts, of their absence, and of accounts while
	// the database is down.
	CacheTTL, NegativeTTL, Stale time.Duration
	// Timeout bounds one question.
	Timeout time.Duration
	// FirstCounts leaves an address that a directory before this one has too to that one. Otherwise its mail is deferred.
	FirstCounts bool
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
	switch {
	case d.Driver == LDAPDriver:
		return d.isIRedMail() || d.LDAP.Filters["domain_filter"] != ""
	case d.Database.UserQuery != "":
		return d.Database.DomainQuery != ""
	}
	return d.Driver.has(knowsDomains)
}

// KnowsOwners reports whether the directory may say since when an account has its owner.
func (d Directory) KnowsOwners() bool {
	return d.Driver.has(sqlBased) && (d.Database.UserQuery != "" || d.Database.Schema == ownSchema)
}

// IsCached reports whether answers of the directory are remembered: it is asked over a network, or reads a disk.
func (d Directory) IsCached() bool { return d.Driver.has(cached) }

var directorySection = table.Section[Directory]{
	Name: "directory",
	Doc: "A database of accounts. Several are asked in order, after the accounts of this file, and an address " +
		"belongs in one of them. One that cannot answer defers the mail.",
	Sample: []string{`driver = "sqlite"`, `file = "/var/lib/doorstep/accounts.db"`},
	Keys:   directoryKeys(),
}

func directoryKeys() (keys []table.Key[Directory]) {
	for _, g := range directoryGroups {
		keys = append(keys, g.keys...)
	}
	return keys
}

// directoryGroups are the keys of a [[directory]], by what a driver must have to read them.
var directoryGroups = []struct {
	needs trait
	keys  []table.Key[Directory]
}{
	{0, directoryNameKeys},
	{cached, cacheKeys},
	{0, claimKeys},
	{fileBased, fileKeys},
	{localNames, defaultDomainKeys},
	{serverBased, table.Of(database, serverKeys...)},
	{networked, table.Of(database, networkKeys...)},
	{withSchema, table.Of(database, schemaKeys...)},
	{sqlBased, table.Of(database, queryKeys...)},
	{ldapBased, table.Of(func(d *Directory) *LDAP { return &d.LDAP }, ldapKeys()...)},
	{systemBased, table.Of(func(d *Directory) *System { return &d.System }, systemKeys...)},
	{knowsDomains, table.Of(func(d *Directory) *Domain { return &d.Domains }, domainRules...)},
}

func database(d *Directory) *Database { return &d.Database }

var directoryNameKeys = []table.Key[Directory]{
	{Name: "driver", Kind: table.Word(func(d *Directory) *Driver { return &d.Driver }, driverNames()...),
		Example: `"sqlite"`, Required: true,
		Doc: "What kind of database it is."},
	{Name: "name", Example: `"accounts"`,
		Kind: table.Parsed("a name", parseDirectoryName, func(d *Directory) *string { return &d.Name }),
		Doc:  "What the log calls it. Default: the driver's name."},
}

var cacheKeys = []table.Key[Directory]{
	{Name: "cache_ttl", Default: `"1m"`,
		Kind: table.Duration(0, 24*time.Hour, func(d *Directory) *time.Duration { return &d.CacheTTL }),
		Doc:  "How long an account is remembered, and a change of it may stay unseen. \"0s\" asks each time."},
	{Name: "negative_ttl", Default: `"10s"`,
		Kind: table.Duration(0, 24*time.Hour, func(d *Directory) *time.Duration { return &d.NegativeTTL }),
		Doc:  "How long it is remembered that there is no such account, and a new one must wait."},
	{Name: "stale", Default: `"0s"`,
		Kind: table.Duration(0, 7*24*time.Hour, func(d *Directory) *time.Duration { return &d.Stale }),
		Doc: "For how much longer a remembered account counts while the database does not answer. Default: its mail is " +
			"deferred."},
	{Name: "timeout", Default: `"5s"`,
		Kind: table.Duration(100*time.Millisecond, 5*time.Minute, func(d *Directory) *time.Duration { return &d.Timeout }),
		Doc:  "How long one question may take."},
}

var claimKeys = []table.Key[Directory]{
	{Name: "claimed_twice", Default: `"defer"`,
		Kind: table.Either(func(d *Directory) *bool { return &d.FirstCounts }, "defer", "first"),
		Doc: "What becomes of mail for an address that this directory has, and so has one before it: defer until it is " +
			"in one of them only, or leave it to the first, such as while mailboxes are moved from this directory to that " +
			"one. See sqlite.md."},
}

var fileKeys = []table.Key[Directory]{
	{Name: "file", Kind: table.Path(func(d *Directory) *string { return &d.File }), Example: `"/etc/dovecot/users"`,
		Doc: "passwd-file: the file. It is read again when it has changed and has been left alone for a second. sqlite: " +
			"the database. doorstep domain add makes it. system: a file such as /etc/passwd, instead of asking getent."},
}

var defaultDomainKeys = []table.Key[Directory]{
	{Name: "default_domain", Example: `"example.org"`,
		Kind: table.Parsed("a domain", parseDomainName, func(d *Directory) *string { return &d.DefaultDomain }),
		Doc:  "The domain of accounts that are named without one. Default: such accounts are not used."},
}

func parseDirectoryName(s string) (string, error) {
	if s == "" || strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", hint.New("must be printable ASCII without spaces", "")
	}
	return s, nil
}

// checkDirectories checks what the keys of each directory say of one another, and of other sections.
func checkDirectories(in *table.Input, directories []Directory) {
	first := map[string]int{}
	for i := range directories {
		d, t := &directories[i], in.Element("directory", i)
		if d.Driver == "" {
			continue // a problem already
		}
		d.checkKeys(t)
		d.checkQueries(t)
		if check := d.Driver.row().check; check != nil {
			check(d, t)
		}
		if d.Name == "" {
			d.Name = string(d.Driver)
		}
		if before, taken := first[d.Name]; taken {
			v := t.Value("name")
			if v == nil {
				v = t.Self()
			}
			v.Add(hint.Quote(d.Name)+" is already the name of directory["+strconv.Itoa(before)+"]",
				"give one of them another name")
			continue
		}
		first[d.Name] = i
	}
}

// checkKeys finds keys that the driver does not read, and those that it needs.
func (d *Directory) checkKeys(t table.Table) {
	driver := hint.Quote(string(d.Driver))
	for _, g := range directoryGroups {
		for _, k := range g.keys {
			if v := t.Value(k.Name); v != nil && !d.Driver.has(g.needs) {
				v.AddKey("is not for driver "+driver, "")
			}
		}
	}
	for i, key := range d.Driver.row().needs {
		if t.Sets(key) || t.Suspect(key) {
			continue
		}
		example := d.Driver.row().example
		if i > 0 || example == "" {
			example = directoryExample(key)
		}
		t.Self().AddKey(key+" is missing, which driver "+driver+" needs", "write "+key+" = "+example)
	}
}

// directoryExample returns the example of a key.
func directoryExample(key string) string {
	for _, k := range directoryKeys() {
		if k.Name == key {
			return k.Example
		}
	}
	return ""
}

// checkFiles checks the files of a directory, which w will read. report takes what is wrong with the value of a key.
func (d *Directory) checkFiles(w runner, report func(key string, err error)) {
	if d.File != "" {
		err := w.check(func() error { return checkReadable(d.File) })
		if d.Driver == SQLite && errors.Is(err, fs.ErrNotExist) {
			err = hint.New("there is no "+hint.Quote(d.File), "doorstep domain add NAME makes it, with its first domain")
		}
		report("file", err)
	}
	d.Database.checkFiles(w, report)
}
