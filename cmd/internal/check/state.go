package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/state"
)

// stateQuestion asks the database in which it is remembered who has a message. Mail does not depend on it, so that what
// is wrong with it is a warning.
func stateQuestion(c *config.Config) *question {
	if _, err := os.Stat(c.State.Path); c.State.Driver == config.StateSQLite && errors.Is(err, fs.ErrNotExist) ||
		c.State.Driver == config.StateNone {
		return nil // CheckSystem tells whether the file can be made
	}
	return &question{Answer: Answer{Key: "state", Name: "state (" + string(c.State.Driver) + ")"},
		ask: func(ctx context.Context, q *question) {
			entries, err := inspectState(ctx, c.State)
			switch {
			case errors.Is(err, state.ErrNoTables):
				q.Text = "answers; its tables are made when the server starts"
			case err != nil:
				key, hint := stateCulprit(c.State, err)
				q.blame(c, q.Key+"."+key, err.Error()+": an alias of which one mailbox cannot take a message is deferred for all",
					hint).Warning = true
			default:
				q.Text = cli.Plural(int(entries), "entry", "entries")
			}
		}}
}

func inspectState(ctx context.Context, c config.State) (entries int64, err error) {
	s, err := build.State(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := s.Close(ctx); e != nil {
			err = errors.Join(err, fmt.Errorf("close: %w", e))
		}
	}()
	return s.Inspect(ctx)
}

// stateCulprit returns the key of [state] that may be why it has this error, and what can be done.
func stateCulprit(s config.State, err error) (key, hint string) {
	var right *state.RightError
	switch {
	case !s.Driver.OnServer():
		return "path", "is it the right file, and may the user who runs the server write to it?"
	case errors.As(err, &right):
		return "user", right.Grant
	}
	key, hint = culprit(config.Directory{Driver: config.Driver(s.Driver), Database: s.Database}, causeOf(err), err)
	switch key {
	case "host", "port", "socket", "database", "user", "tls", "password_file":
		return key, hint
	}
	return "driver", hint
}
