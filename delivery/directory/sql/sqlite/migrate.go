package sqlite

import (
	"context"
	db "database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// applicationID tells our databases from those of others ("DrSt"; SQLite's application_id).
const applicationID = 0x44725374

// migrations bring a database from each version to the next; user_version is how many it has had.
// One that was released is not changed any more.
var migrations = []string{
	`CREATE TABLE domain (
		domain_key TEXT PRIMARY KEY, -- A-labels in lower case
		name       TEXT NOT NULL,    -- as it was written
		alias_of   TEXT              -- the key of the domain that this one is another name of
	) STRICT, WITHOUT ROWID;
	CREATE TABLE account (
		domain_key  TEXT NOT NULL,
		local_key   TEXT NOT NULL,
		address     TEXT NOT NULL,   -- as it was written
		home        TEXT,
		mailbox     TEXT,
		quota       INTEGER CHECK (quota >= 0),    -- octets
		messages    INTEGER CHECK (messages >= 0),
		uid         INTEGER,
		gid         INTEGER,
		disabled    TEXT CHECK (disabled IN ('defer', 'reject')),
		owner_since TEXT,            -- RFC 3339, in UTC
		eai         INTEGER NOT NULL DEFAULT 1,
		PRIMARY KEY (domain_key, local_key)
	) STRICT, WITHOUT ROWID;
	CREATE TABLE alias (
		domain_key TEXT NOT NULL,
		local_key  TEXT NOT NULL,    -- empty for the catch-all of the domain
		address    TEXT NOT NULL,
		target     TEXT NOT NULL,    -- as it was written
		PRIMARY KEY (domain_key, local_key, target)
	) STRICT, WITHOUT ROWID;
	CREATE INDEX domain_alias_of ON domain (alias_of);`,
}

// fileMode is that of a database: its owner writes, and its group may read, as for other secrets.
const fileMode = 0o640

// create makes an empty file for a database. Where root makes it in another's directory it is
// that user's: the server that reads it does not run as root.
func create(path string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(fileMode); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return f.Chown(int(s.Uid), int(s.Gid))
	}
	return nil
}

// migrate makes the tables, or brings them up to date.
func migrate(ctx context.Context, database *db.DB, path string) (err error) {
	tx, err := database.BeginTx(ctx, nil) // immediate: no other process migrates
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, rollback(tx)) }()
	var tables int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if tables == 0 {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
			return err
		}
	}
	n, err := version(ctx, tx, path)
	if err != nil {
		return err
	}
	for ; n < len(migrations); n++ {
		if _, err := tx.ExecContext(ctx, migrations[n]); err != nil {
			return fmt.Errorf("migrate %s to version %d: %w", path, n+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", n)); err != nil {
		return err
	}
	return tx.Commit()
}

// rollback ends a transaction that may have been committed.
func rollback(tx *db.Tx) error {
	if err := tx.Rollback(); !errors.Is(err, db.ErrTxDone) {
		return err
	}
	return nil
}
