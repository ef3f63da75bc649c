package config

import (
	"net/netip"
	"slices"
	"strings"
)

// A Database is where a [[directory]] in SQL finds its accounts, and how.
type Database struct {
	// Host and Port are where it listens; unused where Socket is set.
	Host string
	Port int // 0 for the driver's own
	// Socket is the directory of PostgreSQL's socket, or MySQL's socket itself.
	Socket string
	// Name is the database's, User and PasswordFile are who reads it.
	Name, User, PasswordFile string
	TLS                      DatabaseTLS
	// TLSCA is a file of authorities, "" for the system's.
	TLSCA string
	// MaxConnections and IdleConnections bound what is open at once, and what is kept open.
	MaxConnections, IdleConnections int
	// Schema says whose tables they are. It does not count where UserQuery is set.
	Schema string
	// UserQuery, AliasQuery and DomainQuery are the administrator's own.
	UserQuery, AliasQuery, DomainQuery string
}

// A DatabaseTLS says whether a database is spoken to in TLS.
type DatabaseTLS string

// What TLS there is with a database.
const (
	DatabaseTLSOff     DatabaseTLS = "off"
	DatabaseTLSRequire DatabaseTLS = "require" // whoever has the certificate
	DatabaseTLSVerify  DatabaseTLS = "verify"
)

// sqlDrivers are the drivers for SQL.
var sqlDrivers = []Driver{SQLite, Postgres, MySQL}

// serverDrivers are those for databases that are spoken to over a wire.
var serverDrivers = []Driver{Postgres, MySQL}

// schemas are the tables that are known, ours first.
var schemas = []string{"doorstep", "postfixadmin", "mailcow", "iredmail", "modoboa"}

// database gives the Database that is being read.
func (r *reader) database() *Database { return &r.directory.Database }

// databaseKeys are the keys of a [[directory]] in SQL.
func databaseKeys() []key {
	var known []option[string]
	for _, s := range schemas {
		known = append(known, option[string]{s, s})
	}
	query := func(at func(r *reader) *string) kind {
		return text("a query", func(r *reader, v value, s string) {
			if s == "" {
				r.problems.add(v.place(), "the query is empty", "")
			}
			*at(r) = s
		})
	}
	keys := append(forEach(serverKeys(), serverDrivers...), forEach(wireKeys(), append(serverDrivers, LDAPDriver)...)...)
	return append(keys, []key{
		forDrivers(key{
			name: "schema", fallback: `"doorstep"`, kind: choice(func(r *reader) *string { return &r.database().Schema }, known...),
			doc: "Whose tables they are: Doorstep's own, or those of a project that manages accounts. See sqlite.md. ldap: iredmail alone; without it user_filter and attributes say how accounts are found. See ldap.md.",
		}, append(sqlDrivers, LDAPDriver)...),
		forDrivers(key{
			name: "user_query", kind: query(func(r *reader) *string { return &r.database().UserQuery }),
			example: `"SELECT mail AS address, quota FROM people WHERE mail IN (:address, :address_unicode)"`,
			doc:     "Your own query, instead of schema: the account with an address. Parameters are :address, :address_unicode, :local, :domain and :domain_unicode; columns go by their names. See sqlite.md.",
		}, sqlDrivers...),
		forDrivers(key{
			name: "alias_query", kind: query(func(r *reader) *string { return &r.database().AliasQuery }),
			example: `"SELECT name AS address, target FROM aliases WHERE name IN (:address, :address_unicode)"`,
			doc:     "Your own query: what an address, or @domain for a catch-all, stands for. Default, with user_query: no aliases.",
		}, sqlDrivers...),
		forDrivers(key{
			name: "domain_query", kind: query(func(r *reader) *string { return &r.database().DomainQuery }),
			example: `"SELECT name FROM domains WHERE name IN (:domain, :domain_unicode)"`,
			doc:     "Your own query: whether mail for a domain is taken. Default, with user_query: only that of each [[domain]].",
		}, sqlDrivers...),
	}...)
}

// serverKeys say where a database is, and who reads it.
func serverKeys() []key {
	return []key{
		{
			name: "host", fallback: `"localhost"`, kind: text("a host name or address", func(r *reader, v value, s string) {
				if s == "" || strings.ContainsAny(s, " /:@") && !isAddress(s) {
					r.problems.add(v.place(), quote(s)+" is not a host name or address", "")
					return
				}
				r.database().Host = s
			}),
			doc: "The machine that the database runs on.",
		},
		{
			name: "port", kind: count(1, 65535, func(r *reader) *int { return &r.database().Port }), example: "5432",
			doc: "Its port. Default: 5432 for postgres, 3306 for mysql.",
		},
		{
			name: "socket", kind: file(func(r *reader) *string { return &r.database().Socket }), example: `"/run/postgresql"`,
			doc: "Instead of host: postgres: the directory of its Unix socket; mysql: the socket, such as /run/mysqld/mysqld.sock.",
		},
		{
			name: "database", kind: text("a name", func(r *reader, _ value, s string) { r.database().Name = s }), example: `"mail"`,
			doc: "The name of the database.",
		},
		{
			name: "user", kind: text("a user", func(r *reader, _ value, s string) { r.database().User = s }), example: `"doorstep"`,
			doc: "Who reads it. Reading is all that is needed.",
		},
		{
			name: "tls", fallback: `"off"`,
			kind: choice(func(r *reader) *DatabaseTLS { return &r.database().TLS }, option[DatabaseTLS]{"off", DatabaseTLSOff},
				option[DatabaseTLS]{"require", DatabaseTLSRequire}, option[DatabaseTLS]{"verify", DatabaseTLSVerify}),
			doc: "require encrypts, to whoever answers; verify also wants a certificate for host.",
		},
		{
			name: "idle_connections", fallback: "5", kind: count(0, 1000, func(r *reader) *int { return &r.database().IdleConnections }),
			doc: "Connections that are kept open while nobody asks.",
		},
	}
}

// wireKeys are for all databases that are spoken to over a wire, LDAP among them.
func wireKeys() []key {
	return []key{
		{
			name: "password_file", kind: file(func(r *reader) *string { return &r.database().PasswordFile }), example: `"/etc/doorstep/password"`,
			doc: "A file with the password, in its first line. It is read at each connection. Others than the owner and the group must not be able to read it. Default: no password.",
		},
		{
			name: "tls_ca", kind: file(func(r *reader) *string { return &r.database().TLSCA }), example: `"/etc/ssl/ca.pem"`,
			doc: "Certificates of the authorities that vouch for the server. Default: those that the system trusts.",
		},
		{
			name: "max_connections", fallback: "10", kind: count(1, 1000, func(r *reader) *int { return &r.database().MaxConnections }),
			doc: "Connections open at once. Who asks for more waits, at most for timeout.",
		},
	}
}

// isAddress reports whether s is an IP address.
func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isHere reports whether a host is this machine.
func isHere(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// checkServer checks how a database is reached.
func (r *reader) checkServer(d *Directory, path string) {
	said := func(name string) (value, bool) {
		v, ok := r.said[path+"."+name]
		return v, ok
	}
	for _, name := range []string{"host", "port", "tls"} {
		if name == "port" && d.Driver == Postgres {
			continue // the socket's name has it
		}
		if v, ok := said(name); ok && d.Database.Socket != "" {
			r.problems.add(v.name(), "stands beside socket, which takes its place", "leave one of them out")
		}
	}
	if v, ok := said("tls_ca"); ok && d.Database.TLS != DatabaseTLSVerify {
		r.problems.add(v.name(), "is only for tls = \"verify\"", "")
	}
	if v, ok := said("host"); ok && d.Database.TLS == DatabaseTLSOff && d.Database.Socket == "" && d.Database.Host != "" && !isHere(d.Database.Host) {
		r.problems.warn(v.place(), "accounts, and maybe the password, cross the network unprotected", `write tls = "verify"`)
	}
}

// checkDatabase checks what the keys of a directory in SQL say of one another.
func (r *reader) checkDatabase(d *Directory, path string) {
	said := func(name string) (value, bool) {
		v, ok := r.said[path+"."+name]
		return v, ok
	}
	if v, ok := said("schema"); ok && d.Database.UserQuery != "" {
		r.problems.add(v.name(), "stands beside user_query, which takes its place", "leave one of them out")
	}
	if slices.Contains(serverDrivers, d.Driver) {
		r.checkServer(d, path)
	}
	for _, name := range []string{"alias_query", "domain_query"} {
		if v, ok := said(name); ok && d.Database.UserQuery == "" {
			r.problems.add(v.name(), "stands without user_query", "schema has queries of its own")
		}
	}
}
