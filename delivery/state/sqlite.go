package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// applicationID tells our files from those of others ("DrSs"; SQLite's application_id).
	applicationID = 0x44725373
	// version is that of the tables (SQLite's user_version).
	version = 1
	tables  = `CREATE TABLE mark (
		subject BLOB NOT NULL CHECK (length(subject) = 32),
		item    BLOB NOT NULL CHECK (length(item) = 32),
		until   INTEGER NOT NULL, -- seconds since 1970
		PRIMARY KEY (subject, item)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX mark_until ON mark (until);`
)

var sqliteWords = statements{
	table: "mark",
	leave: "ON CONFLICT DO NOTHING",
	sweep: `DELETE FROM mark WHERE (subject, item) IN (SELECT subject, item FROM mark WHERE until <= ? ORDER BY until
		LIMIT ?)`,
	try: fmt.Sprintf("PRAGMA user_version = %d", version),
}

var errClosed = errors.New("the state is closed")

// sqlite is a file of one machine. It is opened again, or made again, when it was removed or replaced, or is damaged.
type sqlite struct {
	path string

	opening sync.Mutex
	file    *file // nil: none is open
	closed  bool
}

// A file is one state of the file that is open.
type file struct {
	*sql.DB
	info os.FileInfo
}

// NewSQLite returns a store in a file of one machine. Where its directory is missing it does not keep anything.
func NewSQLite(o Options) *DB {
	s := newDB(&sqlite{path: o.Path}, sqliteWords, o)
	if _, err := os.Stat(filepath.Dir(o.Path)); err != nil {
		s.trouble.Store(&err)
	}
	return s
}

func (s *sqlite) about() slog.Attr { return slog.String("path", s.path) }

// isOff: there is no directory for it.
func (s *sqlite) isOff(err error) bool { return errors.Is(err, fs.ErrNotExist) }

func (s *sqlite) open(ctx context.Context) (*sql.DB, int64, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.closed {
		return nil, 0, errClosed
	}
	info, err := os.Stat(s.path)
	if s.file != nil && err == nil && os.SameFile(info, s.file.info) {
		return s.file.DB, -1, nil
	}
	if err := s.shut(); err != nil { // before another one with its name is opened
		return nil, 0, fmt.Errorf("close what was %s: %w", s.path, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		info, err = create(s.path)
	}
	if err != nil {
		return nil, 0, err
	}
	// SQLite would not say what is wrong with a file that cannot be written.
	if err := unix.Faccessat(unix.AT_FDCWD, s.path, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != nil {
		return nil, 0, &fs.PathError{Op: "write to", Path: s.path, Err: err}
	}
	f, err := connect(s.path, info)
	if err != nil {
		return nil, 0, err
	}
	entries, err := f.prepare(ctx)
	if err != nil {
		err = fmt.Errorf("open %s: %w", s.path, err)
		if isDamaged(err) && f.isOurs(ctx) {
			return nil, 0, errors.Join(err, f.setAside(s.path))
		}
		return nil, 0, errors.Join(err, f.Close())
	}
	s.file = f
	return f.DB, entries, nil
}

func (s *sqlite) inspect(ctx context.Context) (int64, error) {
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return 0, ErrNoTables
	}
	db, _, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	return sqliteWords.count(ctx, db)
}

// failed moves a damaged file out of the way. The question that found it out has no answer: what was remembered is
// lost.
func (s *sqlite) failed(db *sql.DB, err error) (again bool, _ error) {
	if isDamaged(err) {
		err = errors.Join(err, s.setAside(db))
	}
	return false, err
}

func (s *sqlite) close() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.closed = true
	return s.shut()
}

// shut closes the file that is open. s.opening is held.
func (s *sqlite) shut() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// setAside moves a damaged file out of the way, if it is the one that is open. It is one of ours: that was found out
// when it was opened.
func (s *sqlite) setAside(db *sql.DB) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.file == nil || s.file.DB != db {
		return nil
	}
	f := s.file
	s.file = nil
	return f.setAside(s.path)
}

// setAside closes the file and moves it out of the way, for those who want to know what has happened to it.
func (f *file) setAside(path string) error {
	err := f.Close()
	if e := os.Remove(path + "-journal"); !errors.Is(e, fs.ErrNotExist) { // it is of this file, and of no other
		err = errors.Join(err, e)
	}
	return errors.Join(err, os.Rename(path, path+".damaged"))
}

// create makes an empty file that only its owner reads, and its name durable. Where root makes it in another's
// directory it is that user's: the server does not run as root.
func create(path string) (info os.FileInfo, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) { // by another process, since a moment
		return os.Stat(path)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if os.Geteuid() == 0 {
		of, err := dir.Stat()
		if err != nil {
			return nil, err
		}
		if s, ok := of.Sys().(*syscall.Stat_t); ok {
			if err := f.Chown(int(s.Uid), int(s.Gid)); err != nil {
				return nil, err
			}
		}
	}
	if err := dir.Sync(); err != nil {
		return nil, err
	}
	return f.Stat()
}

// connect prepares connections to a file. A server that takes over has it open beside the one before, so that it is not
// locked for one process. With FULL each transaction is on the disk when it has ended. A write-ahead log would be
// faster, but its index is mapped into memory: a thread that waits for a page of a file system that hangs stops the
// garbage collector, and by that the whole server.
func connect(path string, info os.FileInfo) (*file, error) {
	query := url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(2000)", "journal_mode(TRUNCATE)", "synchronous(FULL)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(questionsAtOnce)
	db.SetMaxIdleConns(2)
	return &file{DB: db, info: info}, nil
}

// prepare makes the tables where there are none, and counts the marks.
func (f *file) prepare(ctx context.Context) (entries int64, err error) {
	tx, err := f.BeginTx(ctx, nil) // immediate: no other process makes them
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := tx.Rollback(); !errors.Is(e, sql.ErrTxDone) {
			err = errors.Join(err, e)
		}
	}()
	var there, app, has int64
	for query, at := range map[string]*int64{
		"SELECT count(*) FROM sqlite_schema": &there, "PRAGMA application_id": &app, "PRAGMA user_version": &has,
	} {
		if err := tx.QueryRowContext(ctx, query).Scan(at); err != nil {
			return 0, err
		}
	}
	switch {
	case there == 0:
		_, err := tx.ExecContext(ctx, fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = %d", tables,
			applicationID, version))
		if err != nil {
			return 0, err
		}
	case app != applicationID:
		return 0, errors.New("is no file of Doorstep's state: it is left alone")
	case has != version:
		return 0, fmt.Errorf("has tables of another version of Doorstep (%d, this one knows %d)", has, version)
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM mark").Scan(&entries); err != nil {
		return 0, err
	}
	return entries, tx.Commit()
}

// isOurs reports whether a file that makes no sense was made by us.
func (f *file) isOurs(ctx context.Context) bool {
	var app int64
	return f.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app) == nil && app == applicationID
}

// isDamaged reports whether SQLite finds a file inconsistent.
func isDamaged(err error) bool {
	var e *modernc.Error
	// without the details of https://www.sqlite.org/rescode.html
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CORRUPT
}
