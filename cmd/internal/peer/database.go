package peer

import (
	"database/sql"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A Database is a server of SQL with a data directory of its own, on loopback and a Unix socket.
// It runs as MailUser where the test runs as root.
type Database struct {
	*Process
	// Port is on 127.0.0.1.
	Port string
	// Socket is what the driver wants: PostgreSQL's directory, MySQL's socket.
	Socket string
	// PasswordFile has the password of DatabaseUser, and is MailUser's.
	PasswordFile string

	tb      testing.TB
	network string // the socket itself, to wait for
	command func() *exec.Cmd
	open    func(database string) (*sql.DB, error)
	crash   os.Signal
}

// DatabaseUser is who owns each Database.
const DatabaseUser = "doorstep"

// databasePassword is theirs: quotes and backslashes are for drivers that paste.
const databasePassword = `it's "\open" sesame`

// newDatabase makes the directory of an instance, and the password file in it.
func newDatabase(tb testing.TB) (d *Database, dir string) {
	tb.Helper()
	dir = MailDir(tb)
	d = &Database{Port: FreePort(tb), PasswordFile: filepath.Join(dir, "password"), tb: tb}
	if err := os.WriteFile(d.PasswordFile, []byte(databasePassword+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(d.PasswordFile, MailUser, MailUser); err != nil {
			tb.Fatal(err)
		}
	}
	return d, dir
}

// asMailUser lets a command run as MailUser where it could run as root.
func asMailUser(cmd *exec.Cmd, dir string) *exec.Cmd {
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: MailUser, Gid: MailUser}}
	}
	return cmd
}

// mustRun runs a command to its end.
func mustRun(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%s: %v\n%s", cmd.Path, err, tail(string(out)))
	}
}

// Start starts the instance, for the first time or after Crash, and waits until it answers.
func (d *Database) Start() {
	d.tb.Helper()
	d.Process = Start(d.tb, d.command())
	AwaitListener(d.tb, d.Process, "unix", d.network)
	AwaitListener(d.tb, d.Process, "tcp", net.JoinHostPort("127.0.0.1", d.Port))
	admin, err := d.open("")
	if err != nil {
		d.tb.Fatal(err)
	}
	defer admin.Close()
	Await(d.tb, 30*time.Second, "an answer of the database",
		func() bool { return admin.PingContext(d.tb.Context()) == nil })
}

// Crash ends the instance at once, with all that is open.
func (d *Database) Crash() {
	d.tb.Helper()
	if err := d.Signal(d.crash); err != nil {
		d.tb.Fatal(err)
	}
	<-d.Exited()
}

// Fill makes a database and runs statements in it.
func (d *Database) Fill(name string, statements ...string) {
	d.tb.Helper()
	d.run("", "CREATE DATABASE "+name)
	d.Run(name, statements...)
}

// Run runs statements in a database.
func (d *Database) Run(name string, statements ...string) {
	d.tb.Helper()
	d.run(name, statements...)
}

func (d *Database) run(name string, statements ...string) {
	d.tb.Helper()
	admin, err := d.open(name)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer admin.Close()
	for _, s := range statements {
		if _, err := admin.ExecContext(d.tb.Context(), s); err != nil {
			d.tb.Fatalf("%.300s: %v", s, err)
		}
	}
}
