// Package postgres opens directories in PostgreSQL.
package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/doorstep-mail/doorstep/delivery/database"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
)

// Open opens a directory. It connects to nothing.
func Open(s database.Server, queries sql.Queries, key directory.Keyer) (*sql.Directory, error) {
	db, err := database.OpenPostgres(s)
	if err != nil {
		return nil, err
	}
	return sql.Open(sql.Options{DB: db, Dialect: dialect, Queries: queries, Key: key, Timeout: s.Timeout})
}

var dialect = sql.Dialect{Numbered: true, CannotHold: cannotHold}

// cannotHold reports whether a database in another encoding has no such character.
func cannotHold(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "22P05" || e.Code == "22021") // untranslatable, not in repertoire
}
