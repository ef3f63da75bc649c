package hosting

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/database"
	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/directorytest"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/mysql"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql/postgres"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// A server is one of those that directories are in.
type server struct {
	start func(tb testing.TB, settings ...string) *peer.Database
	open  func(database.Server, sql.Queries, directory.Keyer) (*sql.Directory, error)
}

var servers = map[string]server{
	"postgres": {peer.StartPostgres, postgres.Open},
	"mysql":    {peer.StartMariaDB, mysql.Open},
}

// connect is how tests reach a database: over TCP, with the password.
func connect(d *peer.Database, name string) database.Server {
	return database.Server{
		Host: "127.0.0.1", Port: port(d), Database: name, User: peer.DatabaseUser,
		Password:       func() (string, error) { return config.ReadPassword(d.PasswordFile) },
		MaxConnections: 4, IdleConnections: 2, Timeout: 10 * time.Second,
	}
}

// openDirectory opens a directory until the test ends.
func openDirectory(tb testing.TB, kind string, s database.Server, q sql.Queries) *sql.Directory {
	tb.Helper()
	d, err := servers[kind].open(s, q, directorytest.Key)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func TestPostgres(t *testing.T) { conform(t, "postgres") }

func TestMariaDB(t *testing.T) { conform(t, "mysql") }

// conform runs the suite in the tables of every project that runs on a server, with domains in
// U-labels and in A-labels.
func conform(t *testing.T, kind string) {
	db := servers[kind].start(t)
	for _, p := range append([]project{ours(t, kind)}, projects...) {
		if !slices.Contains(p.servers, kind) {
			continue
		}
		for _, labels := range []string{"unicode", "ascii"} {
			t.Run(p.schema+"/"+labels, func(t *testing.T) {
				name := p.schema + "_" + labels
				suite := p.suite
				suite.Open = func(t *testing.T, w directorytest.World) directory.Directory {
					if labels == "ascii" {
						w = inALabels(w)
					}
					db.Fill(name, p.tables(t, kind)...)
					db.Run(name, p.fill(w)...)
					db.Run(name, p.extras...)
					return openDirectory(t, kind, connect(db, name), preset(t, p.schema))
				}
				suite.Stop = func(t *testing.T) func() {
					db.Crash()
					return db.Start
				}
				suite.Run(t)
				checkExtras(t, p, openDirectory(t, kind, connect(db, name), preset(t, p.schema)))
			})
		}
	}
}

func preset(tb testing.TB, schema string) sql.Queries {
	tb.Helper()
	q, ok := sql.Preset(schema)
	if !ok {
		tb.Fatalf("no schema %q", schema)
	}
	return q
}

// tables returns the statements that make a project's tables.
func (p project) tables(t *testing.T, kind string) []string {
	t.Helper()
	if p.schema == "doorstep" {
		return []string{manual(t, kind+".md", "tables")}
	}
	text, err := os.ReadFile(filepath.Join("testdata", p.schema+"."+kind+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	// What old tables cannot hold, TestLatin1 has; an administrator may have converted them.
	return []string{strings.ReplaceAll(string(text), "latin1 COLLATE latin1_general_ci",
		"utf8mb4 COLLATE utf8mb4_general_ci")}
}

// inALabels is a world with its domains in A-labels.
func inALabels(w directorytest.World) directorytest.World {
	ascii := func(domain string) string {
		key, err := address.DomainKey(domain)
		if err != nil {
			panic(err)
		}
		return key
	}
	w.Domains = slices.Clone(w.Domains)
	for i := range w.Domains {
		w.Domains[i] = ascii(w.Domains[i])
	}
	w.Accounts = slices.Clone(w.Accounts)
	for i := range w.Accounts {
		local, domain, _ := strings.Cut(w.Accounts[i].Address, "@")
		w.Accounts[i].Address = local + "@" + ascii(domain)
	}
	return w
}

// checkExtras: what is switched off is nobody's, what leads elsewhere is said as it is, and what
// a collation finds equal is not.
func checkExtras(t *testing.T, p project, d *sql.Directory) {
	lookup := func(local, domain string) (directory.Entry, error) {
		return d.Lookup(t.Context(), directory.Key{Local: local, Domain: domain})
	}
	for _, local := range []string{"jose", "JOSÉ", "alicé", "àlice", "offalias", "gone", "room", "o’hara", "alice\u200b"} {
		if entry, err := lookup(local, "dst.example"); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %+v, %v", local, entry, err)
		}
	}
	if p.schema == "doorstep" {
		return
	}
	for _, domain := range []string{"off.example", "backup.example", "offalias.example"} {
		if found, err := d.Domain(t.Context(), domain); !errors.Is(err, directory.ErrNotFound) {
			t.Errorf("%s: %+v, %v", domain, found, err)
		}
	}
	entry, err := lookup("away", "dst.example")
	slices.Sort(entry.Targets)
	if err != nil || !slices.Equal(entry.Targets, []string{"a@elsewhere.example", "alice@dst.example"}) {
		t.Errorf("away: %+v, %v", entry, err)
	}
	switch p.schema {
	case "mailcow":
		if entry, err := lookup("nologin", "dst.example"); err != nil || entry.Account.Disabled != "" {
			t.Errorf("nologin: %+v, %v", entry, err)
		}
	case "iredmail":
		entry, err := lookup("carol", "dst.example")
		if err != nil || entry.Account.Mailbox != "/var/vmail/vmail1/dst.example/carol-2026.11.24.10.00.00/Maildir" {
			t.Errorf("carol: %+v, %v", entry, err)
		}
	}
}
