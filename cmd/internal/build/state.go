package build

import (
	"log/slog"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery"
	"github.com/doorstep-mail/doorstep/delivery/state"
)

// State is what remembers across restarts; nil for nothing. It is opened when it is needed.
func State(c config.State, log *slog.Logger) *state.SQLite {
	if c.Driver == config.StateNone {
		return nil
	}
	return state.NewSQLite(state.Options{Path: c.Path, Keep: c.Keep, Entries: c.Entries, Log: log})
}

// Remember has an agent remember in s, which may be nil, who has a message that is deferred for others.
func Remember(a *delivery.Agent, s *state.SQLite) {
	if s != nil {
		a.State, a.Router.Apart = s, s.Keeps
	}
}
