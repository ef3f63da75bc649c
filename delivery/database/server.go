// Package database connects to databases that are spoken to over a wire: PostgreSQL, and MySQL or MariaDB.
package database

import (
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// A Server is a database that is spoken to over a wire.
type Server struct {
	// Host and Port are where it listens, unless Socket is set.
	Host string
	Port int
	// Socket is the directory of PostgreSQL's socket, or MySQL's socket itself.
	Socket string
	// Database and User say what is used, and as whom.
	Database, User string
	// Password is called at each connection: a new password needs no restart.
	Password func() (string, error)
	// TLS is used unless Socket is set; nil for no TLS.
	TLS *tls.Config
	// MaxConnections and IdleConnections bound what is open at once, and what is kept open.
	MaxConnections, IdleConnections int
	// Timeout bounds a connection attempt, and a question.
	Timeout time.Duration
}

// What is kept open is opened anew after some time, so that a server that has moved is found.
const (
	maxLifetime = 30 * time.Minute
	maxIdle     = 5 * time.Minute
)

// limit sets the bounds of a pool.
func (s Server) limit(db *sql.DB) {
	db.SetMaxOpenConns(s.MaxConnections)
	db.SetMaxIdleConns(s.IdleConnections)
	db.SetConnMaxLifetime(maxLifetime)
	db.SetConnMaxIdleTime(maxIdle)
}

// IsLost reports whether an error is that of a connection and not of the question: another connection may do.
func IsLost(err error) bool {
	var network *net.OpError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.As(err, &network) && network.Op != "dial" // a database that is down is not asked twice
}
