package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// An LDAP is where a [[directory]] in LDAP finds its accounts, and how. TLS, the password and the number of
// connections are in its Database.
type LDAP struct {
	// URLs are the servers, of which the first that takes a connection is used.
	URLs     []string
	StartTLS bool
	// BindDN is who asks, "" for an anonymous bind.
	BindDN string
	Base   string
	// Filters and Attributes are the administrator's own, by the names of their keys; they take the place of the
	// schema's.
	Filters, Attributes map[string]string
}

// The filters of an LDAP, and the attributes with what each has.
var (
	ldapFilters = []struct{ name, example, doc string }{
		{"user_filter", "(&(objectClass=mailUser)(mail={address}))", "Finds accounts. " +
			"{address}, {local} and {domain} stand for what is looked for. Without schema it is needed."},
		{"alias_filter", "(&(objectClass=mailAlias)(mail={address}))", "Finds what stands for other addresses. " +
			"Default, without schema: there are none."},
		{"catch_all_filter", "(mail=@{domain})", "Finds what stands for all other addresses of a domain. " +
			"Default, without schema: there is none."},
		{"domain_filter", "(&(objectClass=mailDomain)(domainName={domain}))", "Finds domains to take mail for. " +
			"Default, without schema: only those of each [[domain]]."},
		{"iterate_filter", "(objectClass=mailUser)", "Finds all accounts, for doorstep mailbox without addresses. " +
			"Default, without schema: they cannot be listed."},
	}
	ldapAttributes = []struct{ name, example, doc string }{
		{"address_attribute", "mail", "The account's own address."},
		{"other_addresses_attribute", "mailAlternateAddress", "Further addresses that lead to it."},
		{"target_attribute", "mailForwardingAddress", "The addresses that an alias stands for."},
		{"domain_attribute", "associatedDomain", "The name of a domain."},
		{"home_attribute", "homeDirectory", "The account's home."},
		{"mailbox_attribute", "mailMessageStore", "The path of its Maildir, in the place of store.path."},
		{"format_attribute", "mailboxFormat", "The format of its mailbox. Mail for any but a Maildir is deferred."},
		{"quota_attribute", "mailQuota", "How much its mailbox may hold, in octets."},
		{"uid_attribute", "uidNumber", "The user whose files its mail is, as a number; gid_attribute the group."},
		{"gid_attribute", "gidNumber", "The group whose files its mail is, as a number."},
	}
)

// isIRedMail reports whether the directory has the one schema that is known.
func (d *Directory) isIRedMail() bool { return d.Database.Schema == "iredmail" }

// ldapKeys are the keys of a [[directory]] in LDAP.
func ldapKeys() []table.Key[LDAP] {
	keys := slices.Clone(ldapServerKeys)
	for _, f := range ldapFilters {
		keys = append(keys, table.Key[LDAP]{
			Name: f.name, Example: hint.Quote(f.example), Doc: f.doc,
			Kind: table.Text("a filter", setOwn(f.name, func(l *LDAP) *map[string]string { return &l.Filters })),
		})
	}
	for _, a := range ldapAttributes {
		keys = append(keys, table.Key[LDAP]{
			Name: a.name, Example: hint.Quote(a.example), Doc: a.doc,
			Kind: table.Text("an attribute", setOwn(a.name, func(l *LDAP) *map[string]string { return &l.Attributes })),
		})
	}
	return keys
}

var ldapServerKeys = []table.Key[LDAP]{
	{Name: "servers", Kind: table.ParsedList("ldap://HOST:PORT, ldaps://HOST:PORT or ldapi:///PATH",
		table.NotEmpty("no server is named", ""), parseLDAPServer,
		func(l *LDAP) *[]string { return &l.URLs }),
		Example: `["ldaps://ldap.example.org"]`,
		Doc:     "The servers. The first that takes a connection is used."},
	{Name: "starttls", Kind: table.Toggle(func(l *LDAP) *bool { return &l.StartTLS }), Default: "false",
		Doc: "Begin TLS on ldap:// before anything else."},
	{Name: "bind_dn",
		Kind:    table.Parsed("a distinguished name", parseAnything, func(l *LDAP) *string { return &l.BindDN }),
		Example: `"cn=doorstep,dc=example,dc=org"`,
		Doc:     "The entry to bind as, with the password in password_file. Default: an anonymous bind."},
	{Name: "base", Kind: table.Parsed("a distinguished name", parseAnything, func(l *LDAP) *string { return &l.Base }),
		Example: `"o=domains,dc=example,dc=org"`,
		Doc:     "The entry that all others are below."},
}

// parseLDAPServer takes the URL of a server. What else could be wrong with it the driver finds.
func parseLDAPServer(s string) (string, error) {
	if u, err := url.Parse(s); err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" && u.Scheme != "ldapi" {
		return "", hint.New(hint.Quote(s)+" is not ldap://HOST:PORT, ldaps://HOST:PORT or ldapi:///PATH", "")
	}
	return s, nil
}

// setOwn takes the administrator's own filter or attribute.
func setOwn(name string, at func(*LDAP) *map[string]string) func(l *LDAP, _ *table.Value, s string) error {
	return func(l *LDAP, _ *table.Value, s string) error {
		own := at(l)
		if s == "" {
			return hint.New("is empty", "")
		}
		if *own == nil {
			*own = map[string]string{}
		}
		(*own)[name] = s
		return nil
	}
}

// checkLDAP checks what the keys of a directory in LDAP say of one another.
func (d *Directory) checkLDAP(t table.Table) {
	if v := t.Value("schema"); v == nil {
		d.Database.Schema = "" // not that of SQL, which is the default
		if d.LDAP.Filters["user_filter"] == "" && !t.Suspect("user_filter") {
			t.Self().AddKey("neither schema nor user_filter says how accounts are found",
				`write schema = "iredmail", or user_filter = "(mail={address})"`)
		}
	} else if !d.isIRedMail() && d.Database.Schema != "" {
		v.Add(hint.Quote(d.Database.Schema)+" is no schema of LDAP", `write schema = "iredmail", or user_filter = …`)
	}
	bind, password := t.Value("bind_dn"), t.Value("password_file")
	switch {
	case bind != nil && password == nil:
		bind.AddKey("has no password", "write password_file = …")
	case bind == nil && password != nil:
		password.AddKey("stands without bind_dn", "")
	}
	if bind != nil {
		d.warnClear(t)
	}
}

// warnClear warns of a password that crosses the network unprotected.
func (d *Directory) warnClear(t table.Table) {
	for i, v := range t.Elements("servers") {
		server := d.LDAP.URLs[i]
		u, err := url.Parse(server)
		if err != nil || u.Scheme != "ldap" || d.LDAP.StartTLS || isThisMachine(u.Hostname()) {
			continue
		}
		v.Warn("the password goes to "+strings.TrimPrefix(server, "ldap://")+" in the clear",
			"write starttls = true, or ldaps://")
	}
}
