package config

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
)

// A State is the [state] table: what is remembered across restarts.
type State struct {
	Driver StateDriver
	// Path is the file of StateSQLite, absolute.
	Path string
	// Database is that of StatePostgres and StateMySQL.
	Database Database
	// Entries bounds what is remembered, and Keep how long.
	Entries int
	Keep    time.Duration
}

// A StateDriver is what remembers.
type StateDriver string

// The drivers of [state].
const (
	StateSQLite   StateDriver = "sqlite"
	StatePostgres StateDriver = "postgres"
	StateMySQL    StateDriver = "mysql"
	StateNone     StateDriver = "none"
)

// OnServer reports whether it is in a database on a server, which several nodes may share.
func (d StateDriver) OnServer() bool { return d == StatePostgres || d == StateMySQL }

var stateSection = table.Section[State]{
	Name: "state",
	Doc: "What is remembered across restarts: which mailboxes of an alias have a message that is deferred for others. " +
		"Where it cannot be kept the server says so, and delivers to an alias all or none. See aliases.md.",
	Sample: []string{`driver = "sqlite"`, `path = "/var/lib/doorstep/state.db"`},
	Keys: slices.Concat([]table.Key[State]{
		{Name: "driver", Default: `"sqlite"`, Restart: true,
			Kind: table.Word(func(s *State) *StateDriver { return &s.Driver }, StateSQLite, StatePostgres, StateMySQL,
				StateNone),
			Doc: "sqlite keeps it in a file of this machine; postgres and mysql, which MariaDB is too, in a database that " +
				"several servers with one store share; none remembers nothing."},
		{Name: "path", Default: `"/var/lib/doorstep/state.db"`, Restart: true,
			Kind: table.Path(func(s *State) *string { return &s.Path }),
			Doc: "sqlite: the file, which is made where it is missing. The user who runs the server must be able to write " +
				"to its directory. It belongs to one server, on a file system of this machine."},
	}, table.Of(func(s *State) *Database { return &s.Database }, stateServerKeys()...), []table.Key[State]{
		{Name: "entries", Kind: table.Count(100, 100_000_000, func(s *State) *int { return &s.Entries }),
			Default: "1000000", Restart: true,
			Doc: "How much is remembered: one entry for each mailbox that has a message which is deferred for others, about " +
				"150 octets. When it is full an alias is delivered to all or none until some are over."},
		{Name: "keep", Default: `"168h"`, Restart: true,
			Kind: table.Duration(time.Hour, 90*24*time.Hour, func(s *State) *time.Duration { return &s.Keep }),
			Doc:  "How long it is remembered. It must be longer than the MTA tries."},
	}),
}

// stateServerDocs are what keys of a [[directory]] mean in [state], where that is not the same.
var stateServerDocs = map[string]string{
	"database": "postgres and mysql: the name of the database. The tables doorstep_mark and doorstep_state are made in " +
		"it where they are missing.",
	"user": "postgres and mysql: who uses it. To make the tables takes CREATE, to use them SELECT, INSERT, UPDATE and " +
		"DELETE. See aliases.md.",
	"password_file": "A file with the password, in its first line, which is looked at for each connection. It must be " +
		"readable only by its owner and group. Default: no password.",
}

// stateServerKeys are those that a [[directory]] has for a database on a server. How many connections there are is not
// for the administrator to say: one writes, and few ask.
func stateServerKeys() (keys []table.Key[Database]) {
	for _, k := range slices.Concat(serverKeys, networkKeys) {
		if strings.HasSuffix(k.Name, "_connections") {
			continue
		}
		k.Restart = true
		k.Doc = cmp.Or(stateServerDocs[k.Name], k.Doc)
		keys = append(keys, k)
	}
	return keys
}

// check checks what the keys say of one another.
func (s *State) check(t table.Table) {
	if s.Driver == "" {
		return // a problem already
	}
	driver := hint.Quote(string(s.Driver))
	if v := t.Value("path"); v != nil && s.Driver.OnServer() {
		v.AddKey("is not for driver "+driver, "")
	}
	for _, k := range stateServerKeys() {
		if v := t.Value(k.Name); v != nil && !s.Driver.OnServer() {
			v.AddKey("is not for driver "+driver, "")
		}
	}
	if !s.Driver.OnServer() {
		return
	}
	for _, key := range []string{"database", "user"} {
		if !t.Sets(key) && !t.Suspect(key) {
			t.Self().AddKey(key+" is missing, which driver "+driver+" needs", "write "+key+" = "+directoryExample(key))
		}
	}
	s.Database.checkServer(t, s.Driver == StatePostgres, "the password, if there is one, crosses")
}

// checkDirectory checks that the file can be made. It is no mistake: the server runs without.
func (s State) checkDirectory(w runner) error {
	if s.Driver != StateSQLite {
		return nil
	}
	err := w.checkDirectory(filepath.Dir(s.Path), unix.W_OK|unix.X_OK, "written to")
	if err == nil {
		return nil
	}
	suggestion := "make it one that the server can write to"
	if e := (hint.Error{}); errors.As(err, &e) && e.Hint != "" {
		suggestion = e.Hint
	}
	return hint.Warning(err.Error()+": nothing is remembered of aliases", suggestion+`, or write driver = "none"`)
}
