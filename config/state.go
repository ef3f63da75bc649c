package config

import (
	"errors"
	"path/filepath"
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
	// Entries bounds what is remembered, and Keep how long.
	Entries int
	Keep    time.Duration
}

// A StateDriver is what remembers.
type StateDriver string

// The drivers of [state].
const (
	StateSQLite StateDriver = "sqlite"
	StateNone   StateDriver = "none"
)

var stateSection = table.Section[State]{
	Name: "state",
	Doc: "What is remembered across restarts: which mailboxes of an alias have a message that is deferred for others. " +
		"Where it cannot be kept the server says so, and delivers to an alias all or none. See aliases.md.",
	Keys: []table.Key[State]{
		{Name: "driver", Default: `"sqlite"`, Restart: true,
			Kind: table.Word(func(s *State) *StateDriver { return &s.Driver }, StateSQLite, StateNone),
			Doc:  "sqlite keeps it in a file of this machine, none remembers nothing."},
		{Name: "path", Default: `"/var/lib/doorstep/state.db"`, Restart: true,
			Kind: table.Path(func(s *State) *string { return &s.Path }),
			Doc: "The file, which is made where it is missing. The user who runs the server must be able to write to its " +
				"directory. It belongs to one server, on a file system of this machine."},
		{Name: "entries", Kind: table.Count(100, 100_000_000, func(s *State) *int { return &s.Entries }),
			Default: "1000000", Restart: true,
			Doc: "How much is remembered: one entry for each mailbox that has a message which is deferred for others, about " +
				"150 octets. When it is full an alias is delivered to all or none until some are over."},
		{Name: "keep", Default: `"168h"`, Restart: true,
			Kind: table.Duration(time.Hour, 90*24*time.Hour, func(s *State) *time.Duration { return &s.Keep }),
			Doc:  "How long it is remembered. It must be longer than the MTA tries."},
	},
}

// checkDirectory checks that the file can be made. It is no mistake: the server runs without.
func (s State) checkDirectory(w runner) error {
	if s.Driver == StateNone {
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
