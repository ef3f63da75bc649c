package config

import (
	"net"
	"net/url"
	"strings"
)

// An LDAP is where a [[directory]] in LDAP finds its accounts, and how. What to do with TLS, and the
// password and number of connections, are in its Database.
type LDAP struct {
	// URLs are the servers, of which the first that takes a connection is used.
	URLs     []string
	StartTLS bool
	// BindDN is who asks, "" for nobody.
	BindDN string
	Base   string
	// Filters and Attributes are the administrator's own, by the names of their keys; they take
	// the place of the schema's.
	Filters, Attributes map[string]string
}

// The filters of an LDAP, and the attributes with what each has.
var (
	ldapFilters = []struct{ name, example, doc string }{
		{"user_filter", "(&(objectClass=mailUser)(mail={address}))", "Finds accounts. {address}, {local} and {domain} stand for what is looked for. Without schema it is needed."},
		{"alias_filter", "(&(objectClass=mailAlias)(mail={address}))", "Finds what stands for other addresses. Default, without schema: there are none."},
		{"catch_all_filter", "(mail=@{domain})", "Finds what stands for all other addresses of a domain. Default, without schema: there is none."},
		{"domain_filter", "(&(objectClass=mailDomain)(domainName={domain}))", "Finds domains to take mail for. Default, without schema: only those of each [[domain]]."},
	}
	ldapAttributes = []struct{ name, example, doc string }{
		{"address_attribute", "mail", "The account's own address."},
		{"other_addresses_attribute", "mailAlternateAddress", "Further addresses that lead to it."},
		{"target_attribute", "mailForwardingAddress", "The addresses that an alias stands for."},
		{"domain_attribute", "associatedDomain", "The name of a domain."},
		{"home_attribute", "homeDirectory", "The account's home."},
		{"mailbox_attribute", "mailMessageStore", "The path of its Maildir, in the place of store.path."},
		{"quota_attribute", "mailQuota", "How much its mailbox may hold, in octets."},
		{"uid_attribute", "uidNumber", "The user whose files its mail is, as a number; gid_attribute the group."},
		{"gid_attribute", "gidNumber", "The group whose files its mail is, as a number."},
	}
)

// isIRedMail reports whether the directory has the one schema that is known.
func (d Directory) isIRedMail() bool { return d.Database.Schema == "iredmail" }

// ldapKeys are the keys of a [[directory]] in LDAP.
func ldapKeys() []key {
	keys := []key{
		{
			name: "servers", kind: list("ldap://HOST:PORT, ldaps://HOST:PORT or ldapi:///PATH", beginServers, readServer), example: `["ldaps://ldap.example.org"]`,
			doc: "The servers. The first that takes a connection is used.",
		},
		{
			name: "starttls", kind: toggle(func(r *reader) *bool { return &r.directory.LDAP.StartTLS }), fallback: "false",
			doc: "Begin TLS on ldap:// before anything is said.",
		},
		{
			name: "bind_dn", kind: text("a distinguished name", func(r *reader, v value, s string) { r.directory.LDAP.BindDN = s }),
			example: `"cn=doorstep,dc=example,dc=org"`,
			doc:     "Who asks, with the password in password_file. Default: nobody.",
		},
		{
			name: "base", kind: text("a distinguished name", func(r *reader, v value, s string) { r.directory.LDAP.Base = s }),
			example: `"o=domains,dc=example,dc=org"`,
			doc:     "The entry below which all is.",
		},
	}
	for _, f := range ldapFilters {
		keys = append(keys, key{
			name: f.name, kind: text("a filter", func(r *reader, v value, s string) { r.readLDAP(&r.directory.LDAP.Filters, v, f.name, s) }),
			example: quote(f.example), doc: f.doc,
		})
	}
	for _, a := range ldapAttributes {
		keys = append(keys, key{
			name: a.name, kind: text("an attribute", func(r *reader, v value, s string) { r.readLDAP(&r.directory.LDAP.Attributes, v, a.name, s) }),
			example: quote(a.example), doc: a.doc,
		})
	}
	return forEach(keys, LDAPDriver)
}

func beginServers(r *reader, v value, length int) {
	if length == 0 {
		r.problems.add(v.place(), "no server is named", "")
	}
}

// readServer takes a server. What else could be wrong with it the directory knows.
func readServer(r *reader, v value, s string) {
	if u, err := url.Parse(s); err != nil || u.Scheme != "ldap" && u.Scheme != "ldaps" && u.Scheme != "ldapi" {
		r.problems.add(v.place(), quote(s)+" is not ldap://HOST:PORT, ldaps://HOST:PORT or ldapi:///PATH", "")
		return
	}
	r.directory.LDAP.URLs = append(r.directory.LDAP.URLs, s)
}

// readLDAP takes the administrator's own filter or attribute.
func (r *reader) readLDAP(of *map[string]string, v value, name, s string) {
	if s == "" {
		r.problems.add(v.place(), "is empty", "")
		return
	}
	if *of == nil {
		*of = map[string]string{}
	}
	(*of)[name] = s
}

// checkLDAP checks what the keys of a directory in LDAP say of one another.
func (r *reader) checkLDAP(d *Directory, path string) {
	if d.Driver != LDAPDriver {
		return
	}
	if v, said := r.said[path+".schema"]; said && !d.isIRedMail() && d.Database.Schema != "" {
		r.problems.add(v.place(), quote(d.Database.Schema)+" is no schema of LDAP", `write schema = "iredmail", or user_filter = …`)
	} else if !said {
		d.Database.Schema = "" // that of SQL, by default
		if d.LDAP.Filters["user_filter"] == "" && !r.doubt[path+".user_filter"] {
			r.problems.add(r.said[path].name(), "neither schema nor user_filter says how accounts are found", `write schema = "iredmail", or user_filter = "(mail={address})"`)
		}
	}
	_, bind := r.said[path+".bind_dn"]
	secret, said := r.said[path+".password_file"]
	switch {
	case bind && !said:
		r.problems.add(r.said[path+".bind_dn"].name(), "has no password", "write password_file = …")
	case said && !bind:
		r.problems.add(secret.name(), "stands without bind_dn", "")
	}
	if bind {
		r.warnClear(d, path)
	}
}

// warnClear warns of a password that goes over the network as it is.
func (r *reader) warnClear(d *Directory, path string) {
	for i, text := range d.LDAP.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "ldap" || d.LDAP.StartTLS || u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback() {
			continue
		}
		if v, said := r.said[path+".servers["+itoa(i)+"]"]; said {
			r.problems.warn(v.place(), "the password goes to "+strings.TrimPrefix(text, "ldap://")+" for everybody on the way to read", "write starttls = true, or ldaps://")
		}
	}
}
