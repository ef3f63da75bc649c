package config

import (
	"net/netip"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// A Database is where a [[directory]] in SQL finds its accounts, and how. [state] may be in one too.
type Database struct {
	// Host and Port are where it listens; unused if Socket is set.
	Host string
	Port int // 0 for the driver's own
	// Socket is the directory of PostgreSQL's socket, or MySQL's socket itself.
	Socket string
	// Name is the database's. User and PasswordFile are those of the reader.
	Name, User, PasswordFile string
	TLS                      DatabaseTLS
	// TLSCA is a file of authorities, "" for the system's.
	TLSCA string
	// MaxConnections bounds the open connections, and IdleConnections those that are kept open.
	MaxConnections, IdleConnections int
	// Schema says whose tables they are. It does not count if UserQuery is set.
	Schema string
	// UserQuery, AliasQuery, DomainQuery and IterateQuery are the administrator's own.
	UserQuery, AliasQuery, DomainQuery, IterateQuery string
}

// A DatabaseTLS says whether a database is spoken to in TLS.
type DatabaseTLS string

// What TLS there is with a database.
const (
	DatabaseTLSOff     DatabaseTLS = "off"
	DatabaseTLSRequire DatabaseTLS = "require" // with any certificate
	DatabaseTLSVerify  DatabaseTLS = "verify"
)

// ownSchema are Doorstep's own tables.
const ownSchema = "doorstep"

// schemas are the tables that are known.
var schemas = []string{ownSchema, "postfixadmin", "mailcow", "iredmail", "modoboa"}

// serverKeys say where a database is, and who reads it.
var serverKeys = []table.Key[Database]{
	{Name: "host", Default: `"localhost"`,
		Kind: table.Parsed("a host name or address", parseHost, func(d *Database) *string { return &d.Host }),
		Doc:  "The machine that the database runs on."},
	{Name: "port", Kind: table.Count(1, 65535, func(d *Database) *int { return &d.Port }), Example: "5432",
		Doc: "Its port. Default: 5432 for postgres, 3306 for mysql."},
	{Name: "socket", Kind: table.Path(func(d *Database) *string { return &d.Socket }), Example: `"/run/postgresql"`,
		Doc: "Instead of host: postgres: the directory of its Unix socket; mysql: the socket, such as " +
			"/run/mysqld/mysqld.sock."},
	{Name: "database", Example: `"mail"`,
		Kind: table.Parsed("a name", parseAnything, func(d *Database) *string { return &d.Name }),
		Doc:  "The name of the database."},
	{Name: "user", Example: `"doorstep"`,
		Kind: table.Parsed("a user", parseAnything, func(d *Database) *string { return &d.User }),
		Doc:  "Who reads it. Reading is all that is needed."},
	{Name: "tls", Default: `"off"`,
		Kind: table.Word(func(d *Database) *DatabaseTLS { return &d.TLS },
			DatabaseTLSOff, DatabaseTLSRequire, DatabaseTLSVerify),
		Doc: "require encrypts, with any certificate; verify also wants a certificate for host."},
	{Name: "idle_connections", Default: "5",
		Kind: table.Count(0, 1000, func(d *Database) *int { return &d.IdleConnections }),
		Doc:  "Connections that are kept open while idle."},
}

// networkKeys are for all databases that are asked over a network, LDAP among them.
var networkKeys = []table.Key[Database]{
	{Name: "password_file", Example: `"/etc/doorstep/password"`,
		Kind: table.Path(func(d *Database) *string { return &d.PasswordFile }),
		Doc: "A file with the password, in its first line. It is read at each connection. It must be readable only by " +
			"its owner and group. Default: no password."},
	{Name: "tls_ca", Kind: table.Path(func(d *Database) *string { return &d.TLSCA }), Example: `"/etc/ssl/ca.pem"`,
		Doc: "Certificates of the authorities that issue that of the server. Default: those that the system " +
			"trusts."},
	{Name: "max_connections", Default: "10",
		Kind: table.Count(1, 1000, func(d *Database) *int { return &d.MaxConnections }),
		Doc:  "Connections open at once. Who asks for more waits, at most for timeout."},
}

var schemaKeys = []table.Key[Database]{
	{Name: "schema", Default: `"doorstep"`, Kind: table.Word(func(d *Database) *string { return &d.Schema }, schemas...),
		Doc: "Whose tables they are: Doorstep's own, or those of a project that manages accounts. See sqlite.md. ldap: " +
			"iredmail alone; without it user_filter and attributes say how accounts are found. See ldap.md."},
}

var queryKeys = []table.Key[Database]{
	{Name: "user_query", Kind: table.Text("a query", setQuery(func(d *Database) *string { return &d.UserQuery })),
		Example: `"SELECT mail AS address, quota FROM people WHERE mail IN (:address, :address_unicode)"`,
		Doc: "Your own query, instead of schema: the account with an address. Parameters are :address, " +
			":address_unicode, :local, :domain and :domain_unicode; columns go by their names. See sqlite.md."},
	{Name: "alias_query", Kind: table.Text("a query", setQuery(func(d *Database) *string { return &d.AliasQuery })),
		Example: `"SELECT name AS address, target FROM aliases WHERE name IN (:address, :address_unicode)"`,
		Doc: "Your own query: what an address, or @domain for a catch-all, stands for. Default, with user_query: no " +
			"aliases."},
	{Name: "domain_query", Kind: table.Text("a query", setQuery(func(d *Database) *string { return &d.DomainQuery })),
		Example: `"SELECT name FROM domains WHERE name IN (:domain, :domain_unicode)"`,
		Doc: "Your own query: whether mail for a domain is taken. Default, with user_query: only that of each " +
			"[[domain]]."},
	{Name: "iterate_query", Kind: table.Text("a query", setQuery(func(d *Database) *string { return &d.IterateQuery })),
		Example: `"SELECT mail AS address, quota FROM people"`,
		Doc: "Your own query: all accounts, with the columns of user_query, for doorstep mailbox without addresses. " +
			"Default, with user_query: they cannot be listed."},
}

// parseHost takes a host name or address.
func parseHost(s string) (string, error) {
	_, err := netip.ParseAddr(s)
	if s == "" || strings.ContainsAny(s, " /:@") && err != nil {
		return "", hint.New(hint.Quote(s)+" is not a host name or address", "")
	}
	return s, nil
}

// setQuery takes the administrator's own query.
func setQuery(at func(*Database) *string) func(d *Database, _ *table.Value, s string) error {
	return func(d *Database, _ *table.Value, s string) error {
		*at(d) = s
		if s == "" {
			return hint.New("the query is empty", "")
		}
		return nil
	}
}

// checkServer checks how a database is reached.
func (d *Directory) checkServer(t table.Table) {
	d.Database.checkServer(t, d.Driver == Postgres, "accounts, and maybe the password, cross")
}

// checkServer checks how a database is reached. cross says what would go over the network, with a verb.
func (d *Database) checkServer(t table.Table, isPostgres bool, cross string) {
	for _, name := range []string{"host", "port", "tls"} {
		if name == "port" && isPostgres {
			continue // the socket's name has it
		}
		if v := t.Value(name); v != nil && d.Socket != "" {
			v.AddKey("stands beside socket, which takes its place", "leave one of them out")
		}
	}
	if v := t.Value("tls_ca"); v != nil && d.TLS != DatabaseTLSVerify {
		v.AddKey("is only for tls = \"verify\"", "")
	}
	isClear := d.TLS == DatabaseTLSOff && d.Socket == ""
	if v := t.Value("host"); v != nil && isClear && d.Host != "" && !isThisMachine(d.Host) {
		v.Warn(cross+" the network unprotected", `write tls = "verify"`)
	}
}

// checkFiles checks the files that w reads to connect.
func (d *Database) checkFiles(w runner, report func(key string, err error)) {
	if d.PasswordFile != "" {
		report("password_file", w.check(func() error { return checkSecret(d.PasswordFile) }))
	}
	if d.TLSCA != "" {
		report("tls_ca", w.check(func() error {
			_, err := keypair.Authorities(d.TLSCA)
			return err
		}))
	}
}

// checkQueries checks the schema and the administrator's own queries.
func (d *Directory) checkQueries(t table.Table) {
	if v := t.Value("schema"); v != nil && d.Database.UserQuery != "" {
		v.AddKey("stands beside user_query, which takes its place", "leave one of them out")
	}
	for _, name := range []string{"alias_query", "domain_query", "iterate_query"} {
		if v := t.Value(name); v != nil && d.Database.UserQuery == "" {
			v.AddKey("stands without user_query", "schema has queries of its own")
		}
	}
}
