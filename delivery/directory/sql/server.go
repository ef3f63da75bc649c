package sql

import (
	"crypto/tls"
	"crypto/x509"
	db "database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A Server is a database that is spoken to over a wire.
type Server struct {
	// Host and Port are where it listens, unless Socket is set.
	Host   string
	Port   int
	Socket string
	// Database, User and PasswordFile say what is read, and as whom. The file is read at each
	// connection: a new password needs no restart.
	Database, User, PasswordFile string
	TLS                          TLSMode
	// CA is a file of authorities for TLSVerify, "" for the system's.
	CA string
	// MaxConnections and IdleConnections bound what is open at once, and what is kept open.
	MaxConnections, IdleConnections int
	// Timeout bounds a connection attempt, and a lookup.
	Timeout time.Duration
}

// A TLSMode says whether there is TLS with a server. The zero value is TLSOff.
type TLSMode int

// The modes.
const (
	TLSOff     TLSMode = iota
	TLSRequire         // whoever has the certificate: against those who only listen
	TLSVerify
)

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

// TLSConfig is the configuration of TLS, nil for TLSOff.
func (s Server) TLSConfig() (*tls.Config, error) {
	c := &tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12}
	switch s.TLS {
	case TLSOff:
		return nil, nil
	case TLSRequire:
		c.InsecureSkipVerify = true // as asked for
		return c, nil
	}
	if s.CA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", s.CA)
	}
	return c, nil
}

// maxPassword bounds the file of a password.
const maxPassword = 4 << 10

// Password reads the password, the first line of its file; "" where there is no file. A file that everybody on this
// machine can read is refused.
func (s Server) Password() (password string, err error) {
	if s.PasswordFile == "" {
		return "", nil
	}
	f, err := os.Open(s.PasswordFile)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", s.PasswordFile)
	case info.Mode()&0o007 != 0:
		return "", fmt.Errorf("%s is open to everybody on this machine (mode %04o)", s.PasswordFile, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return "", err
	}
	password, _, _ = strings.Cut(string(text), "\n")
	return strings.TrimSuffix(password, "\r"), nil
}
