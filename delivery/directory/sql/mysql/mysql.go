// Package mysql opens directories in MySQL and MariaDB.
package mysql

import (
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/doorstep-mail/doorstep/delivery/database"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
)

// Open opens a directory. It connects to nothing.
func Open(s database.Server, queries sql.Queries, key directory.Keyer) (*sql.Directory, error) {
	db, err := database.OpenMySQL(s)
	if err != nil {
		return nil, err
	}
	return sql.Open(sql.Options{DB: db, Dialect: dialect, Queries: queries, Key: key, Timeout: s.Timeout})
}

var dialect = sql.Dialect{Prepare: true, Backslash: true, CannotHold: cannotHold}

// cannotHold reports whether a column in another character set has no such character: MySQL
// then refuses to compare at all (ER_CANT_AGGREGATE_2COLLATIONS and its kin).
func cannotHold(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1267 || e.Number == 1270 || e.Number == 1271)
}
