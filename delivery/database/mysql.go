package database

import (
	"context"
	"database/sql"
	"net"
	"strconv"

	"github.com/go-sql-driver/mysql"
)

// mysqlPort is MySQL's.
const mysqlPort = 3306

// OpenMySQL opens a database in MySQL or MariaDB. It connects to nothing.
func OpenMySQL(s Server) (*sql.DB, error) {
	c, err := s.mysql()
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	s.limit(db)
	return db, nil
}

func (s Server) mysql() (*mysql.Config, error) {
	c := mysql.NewConfig()
	c.User, c.DBName = s.User, s.Database
	c.Net, c.Addr = "unix", s.Socket
	if s.Socket == "" {
		port := s.Port
		if port == 0 {
			port = mysqlPort
		}
		c.Net, c.Addr = "tcp", net.JoinHostPort(s.Host, strconv.Itoa(port))
		c.TLS = s.TLS
	}
	c.Timeout, c.ReadTimeout, c.WriteTimeout = s.Timeout, s.Timeout, s.Timeout
	c.Logger = &mysql.NopLogger{} // what it would log is the error of the question
	return c, c.Apply(
		mysql.Charset("utf8mb4", ""),
		mysql.BeforeConnect(func(_ context.Context, c *mysql.Config) (err error) {
			c.Passwd, err = s.Password()
			return err
		}),
	)
}
