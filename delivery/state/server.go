package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/database"
)

// ErrNoTables says that the tables are not there yet.
var ErrNoTables = errors.New("the tables are not there yet")

// A RightError says that the user of a database may not do what is needed.
type RightError struct {
	// Grant is the statement that would allow it.
	Grant string
	err   error
}

func (e *RightError) Error() string {
	return e.err.Error() + "; a statement that allows it: " + e.Grant
}

// Unwrap returns what the database said.
func (e *RightError) Unwrap() error { return e.err }

const (
	// serverPatience bounds the attempt to connect to a server.
	serverPatience = 5 * time.Second
	// serverIdle is how many connections are kept open: one of the writer, and one for questions.
	serverIdle = 2
	// serverTables are the tables on a server, which may be in a database with those of others: doorstep_state has one
	// row, with the version of the tables and when a node has swept them.
	serverTables = "doorstep_mark, doorstep_state"
)

// serverWords are what all servers understand.
var serverWords = statements{
	table: "doorstep_mark",
	turn:  "UPDATE doorstep_state SET swept = ? WHERE swept <= ? OR swept > ?",
	try:   "UPDATE doorstep_state SET version = version",
}

// uses are what is done to the tables, without doing it: a right that is missing shows before it is needed.
var uses = []string{
	"SELECT subject, item, until FROM doorstep_mark WHERE 1 = 0",
	"INSERT INTO doorstep_mark (subject, item, until) SELECT subject, item, until FROM doorstep_mark WHERE 1 = 0",
	"DELETE FROM doorstep_mark WHERE 1 = 0",
	"UPDATE doorstep_state SET swept = swept WHERE 1 = 0",
}

// A kind is what differs between servers.
type kind struct {
	name   string
	open   func(database.Server) (*sql.DB, error)
	words  statements
	tables []string // the statements that make them
	// causeOf says what an error means.
	causeOf func(error) cause
	// mayMake reports whether tables can be made.
	mayMake func(context.Context, *sql.DB) (bool, error)
	// grant has the statements that allow to make the tables and to use them, for the names of database and user.
	grantMake, grantUse func(database, user string) string
}

// A cause is why a question has failed.
type cause int

const (
	unknown    cause = iota
	noTable          // a table is missing
	noRight          // the user may not do it
	inConflict       // with another node: it may go well when it is asked again
)

// server is a database on a server, for any number of nodes.
type server struct {
	kind
	at database.Server
	db *sql.DB
	// ready is unset after every error: another server may be there, or none of the tables.
	ready atomic.Bool
}

func newServer(k kind, at database.Server, o Options) (*DB, error) {
	at.MaxConnections, at.IdleConnections, at.Timeout = questionsAtOnce, serverIdle, serverPatience
	db, err := k.open(at)
	if err != nil {
		return nil, err
	}
	return newDB(&server{kind: k, at: at, db: db}, k.words, o), nil
}

func (s *server) about() slog.Attr {
	where := s.at.Socket
	if where == "" {
		where = s.at.Host
		if s.at.Port != 0 {
			where = net.JoinHostPort(where, fmt.Sprint(s.at.Port))
		}
	}
	return slog.String("database", fmt.Sprintf("%s %s at %s", s.name, s.at.Database, where))
}

func (s *server) isOff(error) bool { return false }

func (s *server) close() error { return s.db.Close() }

func (s *server) open(ctx context.Context) (*sql.DB, int64, error) {
	if s.ready.Load() {
		return s.db, -1, nil
	}
	err := s.look(ctx)
	if errors.Is(err, ErrNoTables) {
		err = s.make(ctx)
	}
	if err != nil {
		return nil, 0, err
	}
	s.ready.Store(true)
	return s.db, -1, nil
}

func (s *server) inspect(ctx context.Context) (int64, error) {
	err := s.look(ctx)
	if err == nil {
		return s.words.count(ctx, s.db)
	}
	if errors.Is(err, ErrNoTables) {
		if may, wrong := s.mayMake(ctx, s.db); wrong == nil && !may {
			return 0, &RightError{s.grantMake(s.at.Database, s.at.User), errors.New("the tables are not there, and " +
				s.at.User + " may not make them")}
		}
	}
	return 0, err
}

// look finds out whether the tables are there, and whether they may be used.
func (s *server) look(ctx context.Context) error {
	var has int
	err := s.db.QueryRowContext(ctx, "SELECT version FROM doorstep_state").Scan(&has)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNoTables
	case err == nil && has != version:
		return fmt.Errorf("has tables of another version of Doorstep (%d, this one knows %d)", has, version)
	}
	for _, use := range uses {
		if err == nil {
			_, err = s.db.ExecContext(ctx, use)
		}
	}
	switch s.causeOf(err) {
	case noTable:
		return fmt.Errorf("%w: %w", ErrNoTables, err)
	case noRight:
		return &RightError{s.grantUse(s.at.Database, s.at.User), err}
	}
	return err
}

// make makes the tables. Of several nodes that do so at the same time one may fail, and find them there.
func (s *server) make(ctx context.Context) error {
	for _, statement := range s.tables {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			again := s.look(ctx)
			if errors.Is(again, ErrNoTables) && s.causeOf(err) == noRight {
				err = &RightError{s.grantMake(s.at.Database, s.at.User), err}
			}
			if errors.Is(again, ErrNoTables) {
				return fmt.Errorf("make the tables, which are not there: %w", err)
			}
			return again
		}
	}
	return s.look(ctx)
}

// failed has what is there next looked at, and connected to anew: it may be another server.
func (s *server) failed(_ *sql.DB, err error) (again bool, _ error) {
	why := s.causeOf(err)
	if errors.Is(err, context.Canceled) || why == inConflict {
		return why == inConflict, err
	}
	s.ready.Store(false)
	s.db.SetMaxIdleConns(0)
	s.db.SetMaxIdleConns(serverIdle)
	return database.IsLost(err) || why == noTable, err
}
