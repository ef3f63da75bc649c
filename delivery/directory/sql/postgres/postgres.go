// Package postgres opens directories in PostgreSQL.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
)

// defaultPort is PostgreSQL's.
const defaultPort = 5432

// Open opens a directory. It connects to nothing; Server.Socket is the directory of the socket.
func Open(s sql.Server, queries sql.Queries, key directory.Keyer) (*sql.Directory, error) {
	c, err := configure(s)
	if err != nil {
		return nil, err
	}
	database := stdlib.OpenDB(*c, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) (err error) {
		c.Password, err = s.Password()
		return err
	}))
	s.Limit(database)
	return sql.Open(sql.Options{DB: database, Dialect: dialect, Queries: queries, Key: key, Timeout: s.Timeout})
}

// dialect sends each query with its parameters in one go, and prepares none: a pooler in between
// may send each query over another connection, and a server that took over knows of no statements.
var dialect = sql.Dialect{Numbered: true, CannotHold: cannotHold}

// cannotHold reports whether a database in another encoding has no such character.
func cannotHold(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "22P05" || e.Code == "22021") // untranslatable, not in repertoire
}

// configure says all that libpq would otherwise take from the environment.
func configure(s sql.Server) (*pgx.ConnConfig, error) {
	host, port := s.Host, s.Port
	if s.Socket != "" {
		host = s.Socket
	}
	if port == 0 {
		port = defaultPort
	}
	quote := func(v string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'" }
	c, err := pgx.ParseConfig("host=" + quote(host) + " port=" + strconv.Itoa(port) + " user=" + quote(s.User) +
		" dbname=" + quote(s.Database) + " sslmode=disable application_name=doorstep")
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if s.Socket == "" {
		c.TLSConfig = s.TLS
	}
	c.ConnectTimeout = s.Timeout
	c.Fallbacks = nil // from TLS to none
	c.RuntimeParams["client_encoding"] = "UTF8"
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	return c, nil
}
