package database

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgresPort is PostgreSQL's.
const postgresPort = 5432

// OpenPostgres opens a database in PostgreSQL. It connects to nothing.
//
// Each question is sent with its parameters in one go, and none is prepared: a pooler in between may send each over
// another connection, and a server that took over knows of no statements.
func OpenPostgres(s Server) (*sql.DB, error) {
	c, err := s.postgres()
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*c, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) (err error) {
		c.Password, err = s.Password()
		return err
	}))
	s.limit(db)
	return db, nil
}

// postgres says all that libpq would otherwise take from the environment.
func (s Server) postgres() (*pgx.ConnConfig, error) {
	host, port := s.Host, s.Port
	if s.Socket != "" {
		host = s.Socket
	}
	if port == 0 {
		port = postgresPort
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
