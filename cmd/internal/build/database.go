package build

import (
	"crypto/tls"
	"log/slog"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/database"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
	"github.com/doorstep-mail/doorstep/lmtp/keypair"
)

// queries are those of the schema, or the administrator's own.
func queries(d config.Database) sql.Queries {
	if d.UserQuery != "" {
		return sql.Queries{User: d.UserQuery, Alias: d.AliasQuery, Domain: d.DomainQuery, Iterate: d.IterateQuery}
	}
	q, _ := sql.Preset(d.Schema) // config takes no other
	return q
}

// IsOurs reports whether the tables are those that our verbs manage.
func IsOurs(d config.Directory) bool {
	return d.Driver == config.SQLite && d.Database.UserQuery == "" && d.Database.Schema == "doorstep"
}

func openSQLite(d config.Directory, key directory.Keyer, _ *slog.Logger) (directory.Directory, error) {
	return sqlite.Open(sqlite.Options{Path: d.File, Queries: queries(d.Database), Ours: IsOurs(d), Key: key,
		Timeout: d.Timeout})
}

// openServer opens a directory in a database that is spoken to over a wire.
func openServer(open func(database.Server, sql.Queries, directory.Keyer) (*sql.Directory, error)) opener {
	return func(d config.Directory, key directory.Keyer, _ *slog.Logger) (directory.Directory, error) {
		server, err := serverOf(d.Database)
		if err != nil {
			return nil, err
		}
		server.Timeout = d.Timeout
		return open(server, queries(d.Database), key)
	}
}

// serverOf is how a database is spoken to.
func serverOf(d config.Database) (database.Server, error) {
	secured, err := DatabaseTLS(d)
	return database.Server{
		Host: d.Host, Port: d.Port, Socket: d.Socket, Database: d.Name, User: d.User,
		Password: func() (string, error) { return config.ReadPassword(d.PasswordFile) }, TLS: secured,
		MaxConnections: d.MaxConnections, IdleConnections: d.IdleConnections,
	}, err
}

// DatabaseTLS is how a database is spoken to in TLS, nil for not at all.
func DatabaseTLS(d config.Database) (c *tls.Config, err error) {
	c = &tls.Config{ServerName: d.Host, MinVersion: tls.VersionTLS12}
	switch {
	case d.TLS == config.DatabaseTLSOff:
		return nil, nil
	case d.TLS == config.DatabaseTLSRequire: // against those who only listen
		c.InsecureSkipVerify = true
	case d.TLSCA != "":
		c.RootCAs, err = keypair.Authorities(d.TLSCA)
	}
	return c, err
}
