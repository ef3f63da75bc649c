package config

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
var sqlDrivers = []Driver{SQLite}

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
	return []key{
		forDrivers(key{
			name: "schema", fallback: `"doorstep"`, kind: choice(func(r *reader) *string { return &r.database().Schema }, known...),
			doc: "Whose tables they are: Doorstep's own, or those of a project that manages accounts. See sqlite.md. ldap: iredmail alone; without it user_filter and attributes say how accounts are found. See ldap.md.",
		}, append(sqlDrivers, LDAPDriver)...),
		forDrivers(key{
			name: "password_file", kind: file(func(r *reader) *string { return &r.database().PasswordFile }), example: `"/etc/doorstep/password"`,
			doc: "A file with the password, in its first line. It is read at each connection. Others than the owner and the group must not be able to read it.",
		}, LDAPDriver),
		forDrivers(key{
			name: "tls_ca", kind: file(func(r *reader) *string { return &r.database().TLSCA }), example: `"/etc/ssl/ca.pem"`,
			doc: "Certificates of the authorities that vouch for the server. Default: those that the system trusts.",
		}, LDAPDriver),
		forDrivers(key{
			name: "max_connections", kind: count(1, 1000, func(r *reader) *int { return &r.database().MaxConnections }), fallback: "10",
			doc: "Connections open at once. Who asks for more waits, at most for timeout.",
		}, LDAPDriver),
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
	for _, name := range []string{"alias_query", "domain_query"} {
		if v, ok := said(name); ok && d.Database.UserQuery == "" {
			r.problems.add(v.name(), "stands without user_query", "schema has queries of its own")
		}
	}
}
