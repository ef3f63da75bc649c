package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
	driver "modernc.org/sqlite"
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

var errClosed = errors.New("the state is closed")

// open returns the file that is there now. It is made where there is none.
func (s *SQLite) open(ctx context.Context) (*file, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.closed {
		return nil, errClosed
	}
	info, err := os.Stat(s.opts.Path)
	if s.file != nil && err == nil && os.SameFile(info, s.file.info) {
		return s.file, nil
	}
	if err := s.shut(); err != nil { // before another one with its name is opened
		return nil, fmt.Errorf("close what was %s: %w", s.opts.Path, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		info, err = create(s.opts.Path)
	}
	if err != nil {
		return nil, err
	}
	// SQLite would not say what is wrong with a file that cannot be written.
	if err := unix.Faccessat(unix.AT_FDCWD, s.opts.Path, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != nil {
		return nil, &fs.PathError{Op: "write to", Path: s.opts.Path, Err: err}
	}
	f, err := connect(s.opts.Path, info)
	if err != nil {
		return nil, err
	}
	entries, err := f.prepare(ctx)
	if err != nil {
		err = fmt.Errorf("open %s: %w", s.opts.Path, err)
		if isDamaged(err) && f.isOurs(ctx) {
			return nil, errors.Join(err, f.setAside(s.opts.Path))
		}
		return nil, errors.Join(err, f.Close())
	}
	s.entries.Store(entries)
	s.file = f
	return f, nil
}

// shut closes the file that is open. s.opening is held.
func (s *SQLite) shut() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// setAside moves a damaged file out of the way, if it is the one that is open. It is one of ours: that was found out
// when it was opened.
func (s *SQLite) setAside(f *file) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.file != f {
		return nil
	}
	s.file = nil
	return f.setAside(s.opts.Path)
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
	var e *driver.Error
	// without the details of https://www.sqlite.org/rescode.html
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CORRUPT
}
