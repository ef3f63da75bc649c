package sql

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
)

// A Dialect is what differs between databases.
type Dialect struct {
	// Numbered placeholders are $1, $2 …, others are ?.
	Numbered bool
	// Prepare keeps queries prepared, on each connection. Without it the driver sends them in one
	// go, which a pooler that sends each query over another connection understands too.
	Prepare bool
	// Backslash says that a backslash in a string escapes what follows.
	Backslash bool
	// CannotHold reports whether an error says that the tables could not even hold what was asked
	// for, because of their character set. It may be nil.
	CannotHold func(error) bool
}

func (d Dialect) placeholder(n int) string {
	if d.Numbered {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// A statement is a query with named parameters.
type statement struct {
	question
	db      *db.DB
	prepare bool
	text    string
	names   []string // the parameter of each placeholder

	mu       sync.Mutex
	prepared *db.Stmt
}

func newStatement(database *db.DB, d Dialect, q question, query string) (*statement, error) {
	text, names, err := d.compile(query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.key, err)
	}
	return &statement{question: q, db: database, prepare: d.Prepare, text: text, names: names}, nil
}

// A question is what a query is for.
type question struct {
	key, about string
	needs      []string // the columns without which no answer could be understood
}

// A QueryError is why a query has no answer.
type QueryError struct {
	Query string // its key in the configuration: user_query
	about string
	err   error
}

func (e *QueryError) Error() string { return "ask for " + e.about + ": " + e.err.Error() }

// Unwrap returns what the database said.
func (e *QueryError) Unwrap() error { return e.err }

// failed returns the error of the statement, nil for none.
func (s *statement) failed(err error) error {
	if err == nil {
		return nil
	}
	return &QueryError{s.key, s.about, err}
}

// query runs the statement and returns all its rows.
func (s *statement) query(ctx context.Context, about parameters) (list []row, err error) {
	err = s.each(ctx, about, func(r row) error {
		if len(list) == maxRows {
			return fmt.Errorf("more than %d rows", maxRows)
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

// each runs the statement and calls see with its rows as they come, until see fails.
func (s *statement) each(ctx context.Context, about parameters, see func(row) error) (err error) {
	args := make([]any, len(s.names))
	for i, name := range s.names {
		args[i] = about.named(name)
	}
	rows, err := s.run(ctx, args)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return eachRow(rows, s.needs, see)
}

func (s *statement) run(ctx context.Context, args []any) (*db.Rows, error) {
	if !s.prepare {
		return s.db.QueryContext(ctx, s.text, args...)
	}
	prepared, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	return prepared.QueryContext(ctx, args...)
}

// ready prepares the statement when the database is there for the first time. On further
// connections, and new ones, database/sql prepares it itself.
func (s *statement) ready(ctx context.Context) (*db.Stmt, error) {
	s.mu.Lock()
	prepared := s.prepared
	s.mu.Unlock()
	if prepared != nil {
		return prepared, nil
	}
	made, err := s.db.PrepareContext(ctx, s.text) // not under the lock: it waits for the database
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.prepared != nil { // by another
		return s.prepared, made.Close()
	}
	s.prepared = made
	return made, nil
}

// once does something until it has succeeded. Many at once may do it: no one waits for another.
type once struct{ done atomic.Bool }

func (o *once) do(f func() error) error {
	if o.done.Load() {
		return nil
	}
	if err := f(); err != nil {
		return err
	}
	o.done.Store(true)
	return nil
}
