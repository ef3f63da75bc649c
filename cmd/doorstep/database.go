package main

import (
	"log/slog"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/sqlite"
)

// queries are those of the schema, or the administrator's own.
func queries(d config.Database) sql.Queries {
	if d.UserQuery != "" {
		return sql.Queries{User: d.UserQuery, Alias: d.AliasQuery, Domain: d.DomainQuery}
	}
	q, _ := sql.Preset(d.Schema) // config takes no other
	return q
}

// isOurs reports whether the tables are those that our verbs manage.
func isOurs(d config.Directory) bool {
	return d.Driver == config.SQLite && d.Database.UserQuery == "" && d.Database.Schema == "doorstep"
}

func openSQLite(d config.Directory, key directory.Keyer, _ *slog.Logger) (directory.Directory, error) {
	return sqlite.Open(sqlite.Options{Path: d.File, Queries: queries(d.Database), Ours: isOurs(d), Key: key, Timeout: d.Timeout})
}
