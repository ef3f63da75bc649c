package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os/exec"
	"strings"
	"syscall"

	"github.com/go-ldap/ldap/v3"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

// A cause is what is wrong with a directory, as far as its answer tells.
type cause int

const (
	unknown cause = iota
	noServer
	noDatabase
	noLogin
	noTable
	noColumn
	noRight
	noEntry
	noTrust
	tooMany
)

// codes are the answers that mean something: SQLSTATE of PostgreSQL (its appendix A), error numbers of MySQL, result
// codes of LDAP (RFC 4511 §4.1.9).
var (
	postgresCodes = map[string]cause{
		"3D000": noDatabase, "28P01": noLogin, "28000": noLogin, "42P01": noTable, "42703": noTable, "3F000": noTable,
		"42601": noTable, "42883": noTable, "42501": noRight, "53300": tooMany,
	}
	mysqlCodes = map[uint16]cause{
		1049: noDatabase, 1044: noDatabase, 1045: noLogin, 1698: noLogin, 1146: noTable, 1054: noTable, 1064: noTable,
		1142: noRight, 1143: noRight, 1040: tooMany, 1203: tooMany, 1226: tooMany,
	}
	ldapCodes = map[uint16]cause{
		ldap.LDAPResultInvalidCredentials: noLogin, ldap.LDAPResultInappropriateAuthentication: noLogin,
		ldap.LDAPResultStrongAuthRequired: noLogin, ldap.LDAPResultInvalidDNSyntax: noEntry,
		ldap.LDAPResultNoSuchObject: noEntry, ldap.LDAPResultInsufficientAccessRights: noRight,
		ldap.LDAPResultConfidentialityRequired: noTrust,
	}
)

// ofQuery reports whether another query may go better.
func (c cause) ofQuery() bool { return c == noTable || c == noColumn || c == noRight }

// causeOf finds out what an error means.
func causeOf(err error) cause {
	var postgres *pgconn.PgError
	var maria *mysql.MySQLError
	var entries *ldap.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &postgres):
		return postgresCodes[postgres.Code]
	case errors.As(err, &maria):
		return mysqlCodes[maria.Number]
	case errors.As(err, new(*sqlite.Error)) && strings.Contains(err.Error(), "no such"):
		return noTable
	case errors.Is(err, sql.ErrNoColumn):
		return noColumn
	case isTLS(err):
		return noTrust
	case errors.As(err, &dial), errors.As(err, new(*net.DNSError)), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, breaker.ErrHangs), errors.Is(err, syscall.ECONNREFUSED):
		return noServer
	case errors.As(err, &entries):
		return ldapCodes[entries.ResultCode]
	}
	return unknown
}

// isTLS reports whether an error is about certificates, or TLS that a server does not have.
func isTLS(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) || errors.As(err, new(tls.RecordHeaderError)) ||
		errors.As(err, new(tls.AlertError)) || errors.Is(err, mysql.ErrNoTLS) ||
		strings.Contains(err.Error(), "server refused TLS") // pgconn has no value for it
}

// culprit returns the key of a [[directory]] that may be why it has this error, and what can be done.
func culprit(d config.Directory, why cause, err error) (key, hint string) {
	var path *fs.PathError
	if errors.As(err, &path) && path.Path == d.Database.PasswordFile {
		return "password_file", "the user who runs the server must be able to read it"
	}
	isLDAP := d.Driver == config.LDAPDriver
	switch why {
	case noServer:
		return serverKey(d, err), "is it running there, and does it listen? ss -ltnp tells on that machine"
	case noDatabase:
		return "database", "is it the name, and may " + d.Database.User + " connect to it?"
	case noLogin:
		if isLDAP {
			return "bind_dn", "are bind_dn and the password in password_file right?"
		}
		return "user", "are user, and the password in password_file, right? It is asked from this machine"
	case noTable:
		return queryKey(d, err), "compare with the tables that are there: is it the right database, and the right version?"
	case noColumn:
		return queryKey(d, err), "name it: … AS address; sqlite.md says which columns there are"
	case noRight:
		if isLDAP {
			return "bind_dn", "let it read below " + d.LDAP.Base
		}
		return "user", "GRANT SELECT on that table"
	case noEntry:
		return "base", "is that entry there? ldapsearch -s base -b … asks"
	case noTrust:
		if isLDAP {
			return "servers", "starttls = true or ldaps://, and tls_ca names the authority of the server's certificate"
		}
		return "tls", "tls_ca names the authority of the server's certificate, which must be for host"
	case tooMany:
		return "max_connections", "the server has no room for more connections"
	}
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "driver", "install getent, or write file = \"/etc/passwd\""
	case d.System.Canary != "" && strings.Contains(err.Error(), "canary"):
		return "canary", "make that account, or name another that is always there"
	case d.File != "":
		return "file", fileHints[d.Driver]
	}
	return queryKey(d, err), ""
}

// fileHints say what can be done about files that make no sense.
var fileHints = map[config.Driver]string{
	config.PasswdFile:     "is something writing it? Lines are name:password:uid:gid:gecos:home, and the last has an end",
	config.SQLite:         "is it the right file? schema says whose tables are in it",
	config.SystemAccounts: "is something writing it? Its lines are those of /etc/passwd, and the last has an end",
}

// serverKey is the key that says where the server is.
func serverKey(d config.Directory, err error) string {
	switch {
	case d.Driver == config.LDAPDriver:
		return "servers"
	case d.Database.Socket != "":
		return "socket"
	case errors.As(err, new(*net.DNSError)) || d.Database.Port == 0 && !errors.Is(err, syscall.ECONNREFUSED):
		return "host"
	}
	return "port"
}

// queryKey is the key of the query that failed: the administrator's own, or that of the schema.
func queryKey(d config.Directory, err error) string {
	var query *sql.QueryError
	switch {
	case d.Database.UserQuery == "":
		return "schema"
	case !errors.As(err, &query):
		return "user_query"
	case query.Query == "catch_all_query":
		return "alias_query"
	}
	return query.Query
}
