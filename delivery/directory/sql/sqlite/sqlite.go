// Package sqlite is a directory in an SQLite file: Doorstep's own database, which it makes,
// migrates and looks after (Store), or another program's, which it only reads.
//
// The driver is a translation of SQLite into Go: it needs no C library.
package sqlite

import (
	"context"
	db "database/sql"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
)

// busyTimeout is how long one who reads waits for one who writes to a database that is not in WAL
// mode, and one who writes for another.
const busyTimeout = 5 * time.Second

// maxConnections bounds how many read at once: a reader is a matter of the processor.
const maxConnections = 8

// Options say how a database is read.
type Options struct {
	// Path is the file.
	Path string
	// Queries are those of the preset "doorstep", or the administrator's own.
	Queries sql.Queries
	// Ours says that the tables are those of Store.
	Ours    bool
	Key     directory.Keyer
	Timeout time.Duration
}

// Open prepares lookups in a database. That the file is not there is an error of each lookup until
// it is; an error of Open is a mistake in a query.
func Open(o Options) (*Directory, error) {
	prepared, err := connect(o)
	if err != nil {
		return nil, err
	}
	return &Directory{options: o}, prepared.Close() // each state of the file has connections of its own
}

// connect prepares connections to the file that is there when they are made, which is at a question.
func connect(o Options) (*sql.Directory, error) {
	database, err := open(o.Path, "rw", "query_only(1)")
	if err != nil {
		return nil, err
	}
	database.SetMaxOpenConns(maxConnections)
	database.SetMaxIdleConns(maxConnections)
	options := sql.Options{
		DB: database, Dialect: sql.Dialect{Prepare: true}, Queries: o.Queries, Key: o.Key, Timeout: o.Timeout,
	}
	if o.Ours {
		options.Ready = func(ctx context.Context, database *db.DB) error {
			_, err := version(ctx, database, o.Path)
			return err
		}
	}
	return sql.Open(options)
}

// open opens a file in a mode of SQLite's URIs, with pragmas for each connection.
func open(path, mode string, pragmas ...string) (*db.DB, error) {
	query := url.Values{"mode": {mode}, "_txlock": {"immediate"}}
	for _, pragma := range append(pragmas, fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())) {
		query.Add("_pragma", pragma)
	}
	return db.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
}

// querier is a database, or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *db.Row
	ExecContext(ctx context.Context, query string, args ...any) (db.Result, error)
}

// version returns the version of the tables in a database of ours that this program can read.
func version(ctx context.Context, q querier, path string) (int, error) {
	var n, app int
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n); err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	if err := q.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	switch {
	case app != applicationID:
		return 0, fmt.Errorf("%s is no database of Doorstep's", path)
	case n > len(migrations):
		return 0, fmt.Errorf("%s has tables of a newer version of Doorstep (%d, this one knows %d)", path, n, len(migrations))
	}
	return n, nil
}
