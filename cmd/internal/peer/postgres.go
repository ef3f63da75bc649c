package peer

import (
	"database/sql"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// StartPostgres starts a PostgreSQL, with further settings such as "ssl=on".
func StartPostgres(tb testing.TB, settings ...string) *Database {
	tb.Helper()
	Need(tb, "postgres", "initdb")
	d, dir := newDatabase(tb)
	data := filepath.Join(dir, "data")
	d.Socket, d.network, d.crash = dir, filepath.Join(dir, ".s.PGSQL."+d.Port), syscall.SIGQUIT
	initdb, postgres := mustLook(tb, "initdb"), mustLook(tb, "postgres")
	mustRun(tb, asMailUser(exec.Command(initdb, "-D", data, "-U", DatabaseUser, "--auth-local=trust",
		"--auth-host=scram-sha-256",
		"--pwfile="+d.PasswordFile, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"), dir))
	args := []string{"-D", data, "-c", "listen_addresses=127.0.0.1", "-c", "port=" + d.Port, "-c",
		"unix_socket_directories=" + dir, "-c", "fsync=off"}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	d.command = func() *exec.Cmd { return asMailUser(exec.Command(postgres, args...), dir) }
	d.open = func(name string) (*sql.DB, error) {
		if name == "" {
			name = "postgres"
		}
		return sql.Open("pgx", "host="+dir+" port="+d.Port+" user="+DatabaseUser+" dbname="+name+" "+
			"default_query_exec_mode=simple_protocol")
	}
	d.Start()
	return d
}

// mustLook finds a program that Need has found.
func mustLook(tb testing.TB, name string) string {
	tb.Helper()
	path, err := look(name)
	if err != nil {
		tb.Fatal(err)
	}
	return path
}
