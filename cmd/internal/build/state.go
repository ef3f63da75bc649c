package build

import (
	"fmt"
	"log/slog"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/database"
	"github.com/doorstep-mail/doorstep/delivery/state"
)

// State is what remembers across restarts; nil for nothing. It is opened when it is needed.
func State(c config.State, log *slog.Logger) (*state.DB, error) {
	o := state.Options{Path: c.Path, Keep: c.Keep, Entries: c.Entries, Log: log}
	var open func(database.Server, state.Options) (*state.DB, error)
	switch c.Driver {
	case config.StateNone:
		return nil, nil
	case config.StateSQLite:
		return state.NewSQLite(o), nil
	case config.StatePostgres:
		open = state.NewPostgres
	case config.StateMySQL:
		open = state.NewMySQL
	default:
		return nil, fmt.Errorf("state: driver %q is unknown", c.Driver)
	}
	server, err := serverOf(c.Database)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	return open(server, o)
}

// Remember has an agent remember in s, which may be nil, who has a message that is deferred for others.
func Remember(a *delivery.Agent, s *state.DB) {
	if s != nil {
		a.State, a.Router.Apart = s, s.Keeps
	}
}
