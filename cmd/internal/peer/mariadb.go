package peer

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// StartMariaDB starts a MariaDB, with further options such as "--ssl-ca=FILE".
func StartMariaDB(tb testing.TB, options ...string) *Database {
	tb.Helper()
	Need(tb, "mariadbd", "mariadb-install-db")
	d, dir := newDatabase(tb)
	data := filepath.Join(dir, "data")
	d.Socket, d.crash = filepath.Join(dir, "mysql"), syscall.SIGKILL
	d.network = d.Socket
	install, server := mustLook(tb, "mariadb-install-db"), mustLook(tb, "mariadbd")
	mustRun(tb, asMailUser(exec.Command(install, "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db"), dir))
	args := append([]string{
		"--no-defaults", "--datadir=" + data, "--socket=" + d.Socket, "--port=" + d.Port, "--bind-address=127.0.0.1",
		"--pid-file=" + filepath.Join(dir, "pid"), "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2",
	}, options...)
	d.command = func() *exec.Cmd { return asMailUser(exec.Command(server, args...), dir) }
	d.open = func(name string) (*sql.DB, error) {
		c := mysql.NewConfig()
		c.User, c.Net, c.Addr, c.DBName, c.MultiStatements, c.Logger = "root", "unix", d.Socket, name, true,
			&mysql.NopLogger{}
		return sql.Open("mysql", c.FormatDSN())
	}
	d.Start()
	password := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(databasePassword)
	d.run("", "CREATE USER "+DatabaseUser+" IDENTIFIED BY '"+password+"'", "GRANT ALL ON *.* TO "+DatabaseUser)
	return d
}
