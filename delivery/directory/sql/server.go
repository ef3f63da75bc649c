package sql

import (
	"crypto/tls"
	db "database/sql"
	"time"
)

// A Server is a database that is spoken to over a wire.
type Server struct {
	// Host and Port are where it listens, unless Socket is set.
	Host   string
	Port   int
	Socket string
	// Database and User say what is read, and as whom.
	Database, User string
	// Password is called at each connection: a new password needs no restart.
	Password func() (string, error)
	// TLS is used unless Socket is set; nil for no TLS.
	TLS *tls.Config
	// MaxConnections and IdleConnections bound what is open at once, and what is kept open.
	MaxConnections, IdleConnections int
	// Timeout bounds a connection attempt, and a lookup.
	Timeout time.Duration
}

// What is kept open is opened anew after some time, so that a server that has moved is found.
const (
	maxLifetime = 30 * time.Minute
	maxIdle     = 5 * time.Minute
)

// Limit sets the bounds of a pool.
func (s Server) Limit(database *db.DB) {
	database.SetMaxOpenConns(s.MaxConnections)
	database.SetMaxIdleConns(s.IdleConnections)
	database.SetConnMaxLifetime(maxLifetime)
	database.SetConnMaxIdleTime(maxIdle)
}
