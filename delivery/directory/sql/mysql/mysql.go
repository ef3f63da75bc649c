// Package mysql opens directories in MySQL and MariaDB.
package mysql

import (
	"context"
	db "database/sql"
	"errors"
	"net"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
)

// defaultPort is MySQL's.
const defaultPort = 3306

// Open opens a directory. It connects to nothing; Server.Socket is the socket itself.
func Open(s sql.Server, queries sql.Queries, key directory.Keyer) (*sql.Directory, error) {
	c, err := configure(s)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	database := db.OpenDB(connector)
	s.Limit(database)
	return sql.Open(sql.Options{DB: database, Dialect: dialect, Queries: queries, Key: key, Timeout: s.Timeout})
}

var dialect = sql.Dialect{Prepare: true, Backslash: true, CannotHold: cannotHold}

// cannotHold reports whether a column in another character set has no such character: MySQL
// then refuses to compare at all (ER_CANT_AGGREGATE_2COLLATIONS and its kin).
func cannotHold(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && (e.Number == 1267 || e.Number == 1270 || e.Number == 1271)
}

func configure(s sql.Server) (*mysql.Config, error) {
	c := mysql.NewConfig()
	c.User, c.DBName = s.User, s.Database
	c.Net, c.Addr = "unix", s.Socket
	if s.Socket == "" {
		port := s.Port
		if port == 0 {
			port = defaultPort
		}
		c.Net, c.Addr = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(port))
		c.TLS = s.TLS
	}
	c.Timeout, c.ReadTimeout, c.WriteTimeout = s.Timeout, s.Timeout, s.Timeout
	c.Logger = &mysql.NopLogger{} // what it would log is the error of the lookup
	return c, c.Apply(
		mysql.Charset("utf8mb4", ""),
		mysql.BeforeConnect(func(_ context.Context, c *mysql.Config) (err error) {
			c.Passwd, err = s.Password()
			return err
		}),
	)
}
