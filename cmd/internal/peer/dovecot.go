package peer

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// DovecotConfig says whose mail a Dovecot instance looks after.
type DovecotConfig struct {
	// Users and their Maildirs.
	Users []DovecotUser
	// UID and GID own the Maildirs. Dovecot serves no mail of root.
	UID, GID int
	// LMTP makes it listen for LMTP on a Unix socket too (Debian package dovecot-lmtpd), so
	// that the same mailboxes can be filled by it.
	LMTP bool
	// POP3 makes it listen for POP3 too (Debian package dovecot-pop3d).
	POP3 bool
	// Database finds the accounts, in the place of Users; any password logs in.
	Database *DovecotDatabase
	// Settings are further lines of dovecot.conf.
	Settings []string
}

// A DovecotUser is an account. Its password is Password.
type DovecotUser struct {
	Name    string // what IMAP's LOGIN and LMTP's RCPT name; no colon
	Maildir string
}

// A DovecotDatabase says how Dovecot asks a database for accounts.
type DovecotDatabase struct {
	Driver string   // mysql, pgsql, sqlite or ldap
	Lines  []string // of the file of settings that its userdb has
}

// Password is that of every DovecotUser.
const Password = "open sesame"

// A Dovecot is a running instance.
type Dovecot struct {
	*Process
	// Addr is its IMAP server, on loopback.
	Addr string
	// POP3Addr is its POP3 server, on loopback, "" when not asked for.
	POP3Addr string
	// LMTPSocket is its LMTP server's socket, "" when not asked for.
	LMTPSocket string
	// UsersFile is its passwd-file, of its users and of their passwords.
	UsersFile string

	tb  testing.TB
	dir string
}

// StartDovecot starts an instance: IMAP without TLS over Maildirs.
func StartDovecot(tb testing.TB, c DovecotConfig) *Dovecot {
	tb.Helper()
	Need(tb, "dovecot")
	if c.LMTP {
		Need(tb, "dovecot-lmtp")
	}
	if c.Database != nil {
		Need(tb, "dovecot-"+c.Database.Driver)
	}
	port := FreePort(tb)
	d := &Dovecot{Addr: net.JoinHostPort("127.0.0.1", port), tb: tb, dir: Dir(tb)}
	makeDirs(tb, d.dir, "run", "state")
	lines := append(d.common(c), d.imap(port)...)
	if c.LMTP {
		d.LMTPSocket = d.path("lmtp")
		lines = append(lines, d.lmtp()...)
	}
	if c.POP3 {
		Need(tb, "dovecot-pop3")
		port := FreePort(tb)
		d.POP3Addr = net.JoinHostPort("127.0.0.1", port)
		lines = append(lines, "protocols = $protocols pop3", listener("pop3", port))
	}
	d.UsersFile = d.path("users")
	write(tb, d.UsersFile, d.users(c)...)
	if c.Database != nil {
		write(tb, d.path("database"), c.Database.Lines...)
	}
	write(tb, d.path("dovecot.conf"), append(lines, c.Settings...)...)

	program, err := look("dovecot")
	if err != nil {
		tb.Fatal(err)
	}
	d.Process = Start(tb, exec.Command(program, "-F", "-c", d.path("dovecot.conf")))
	showLog(tb, "Dovecot", d.Log)
	AwaitListener(tb, d.Process, "tcp", d.Addr)
	return d
}

func (d *Dovecot) path(name string) string { return filepath.Join(d.dir, name) }

func (d *Dovecot) common(c DovecotConfig) []string {
	passdb := "passdb {\n driver = passwd-file\n args = scheme=PLAIN username_format=%u " + d.path("users") + "\n}"
	userdb := "userdb {\n driver = passwd-file\n args = username_format=%u " + d.path("users") + "\n}"
	if c.Database != nil {
		driver := "sql"
		if c.Database.Driver == "ldap" {
			driver = "ldap"
		}
		passdb = "passdb {\n driver = static\n args = nopassword=y\n}"
		userdb = "userdb {\n driver = " + driver + "\n args = " + d.path("database") + "\n}"
	}
	return []string{
		"base_dir = " + d.path("run"),
		"state_dir = " + d.path("state"),
		"log_path = " + d.path("log"),
		"listen = 127.0.0.1",
		"ssl = no",
		"disable_plaintext_auth = no",
		"auth_username_chars =", // any, also internationalized ones
		"auth_username_format = %u",
		fmt.Sprintf("first_valid_uid = %d", c.UID),
		fmt.Sprintf("first_valid_gid = %d", c.GID),
		passdb,
		userdb,
		"mail_location = maildir:~", // the home of each user in the file is the Maildir
	}
}

func (d *Dovecot) imap(port string) []string {
	return []string{
		"protocols = imap",
		listener("imap", port),
	}
}

// listener returns a protocol a port, without TLS.
func listener(protocol, port string) string {
	return strings.NewReplacer("PROTOCOL", protocol, "PORT", port).Replace(
		"service PROTOCOL-login {\n inet_listener PROTOCOL {\n  port = PORT\n }\n inet_listener PROTOCOLs {\n  port = 0\n " +
			"}\n}")
}

func (d *Dovecot) lmtp() []string {
	return []string{
		"protocols = $protocols lmtp",
		"service lmtp {\n unix_listener " + d.LMTPSocket + " {\n  mode = 0666\n }\n}",
		"protocol lmtp {\n postmaster_address = postmaster@mx.example\n}",
	}
}

// users returns the password file: name:password:uid:gid:gecos:home. A home may have spaces in
// it, which the extra fields after could not.
func (d *Dovecot) users(c DovecotConfig) []string {
	var lines []string
	for _, u := range c.Users {
		lines = append(lines, fmt.Sprintf("%s:{PLAIN}%s:%d:%d::%s::", u.Name, Password, c.UID, c.GID, u.Maildir))
	}
	return lines
}

// Log is the instance's log so far.
func (d *Dovecot) Log() string {
	d.tb.Helper()
	return read(d.tb, d.path("log"))
}

// Complaints are the lines of the log at level warning and above.
func (d *Dovecot) Complaints() []string {
	d.tb.Helper()
	var list []string
	for line := range strings.Lines(d.Log()) {
		for _, level := range []string{": Warning: ", ": Error: ", ": Fatal: ", ": Panic: "} {
			if strings.Contains(line, level) {
				list = append(list, strings.TrimSpace(line))
			}
		}
	}
	return list
}
