package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// files are a database and its write-ahead log as they are found by their names.
type files struct {
	path string      // of the database, without symbolic links, as SQLite names its log
	main os.FileInfo // of the database
	wal  os.FileInfo // of the log, nil for none
}

// find looks at the files. It is an error where there is no database. resolved is where path led before, "" to
// find that out.
func find(path, resolved string) (f files, err error) {
	if f.path = resolved; resolved == "" {
		if f.path, err = filepath.EvalSymlinks(path); err != nil {
			return f, err
		}
	}
	if f.main, err = os.Stat(path); err != nil {
		return f, err
	}
	if f.wal, err = os.Stat(f.path + "-wal"); errors.Is(err, fs.ErrNotExist) {
		f.wal, err = nil, nil
	}
	return f, err
}

// same reports whether the files are still those that g was found to be. A connection that is open goes on
// with files that others have taken the place of, or that were removed.
//
// With a log, who changes the database writes to the log. A database that was written itself is one that
// something has been copied over, or that the log was moved into: which of them is not known from outside.
func (f files) same(g files) bool {
	if !os.SameFile(f.main, g.main) || (f.wal == nil) != (g.wal == nil) {
		return false
	}
	if f.wal == nil {
		return true
	}
	return os.SameFile(f.wal, g.wal) && f.main.Size() == g.main.Size() && f.main.ModTime().Equal(g.main.ModTime())
}

// orphan returns the log of a database in whose place f has come, where it is there still; else nil.
func (f files) orphan(before files) os.FileInfo {
	if f.wal == nil || before.wal == nil || os.SameFile(f.main, before.main) || !os.SameFile(f.wal, before.wal) {
		return nil
	}
	return f.wal
}

// ErrForeignLog says that the log beside a database belongs to the one that was there before. SQLite would
// write what is in it into the new one, which neither survives: https://www.sqlite.org/howtocorrupt.html §1.4.
var ErrForeignLog = errors.New("belongs to the database that was there before")

// fits reports that the log may be one of the database. orphan is a log that is known not to be, or nil.
func (f files) fits(orphan os.FileInfo) error {
	if f.wal == nil || f.wal.Size() == 0 {
		return nil
	}
	known := orphan != nil && os.SameFile(f.wal, orphan) && f.wal.ModTime().Equal(orphan.ModTime())
	if !known && !f.logIsOlder() {
		return nil
	}
	return fmt.Errorf("%s-wal %w: with all that uses it stopped, remove it and %s-shm", f.path, ErrForeignLog, f.path)
}

// copying is by how much files that were copied together may differ in age: a program that copies
// directories may make the log first.
const copying = time.Minute

// logIsOlder reports whether the log was made before the database, which no log of its own can have been. Where
// the file system keeps no such time the log is taken to be right.
func (f files) logIsOlder() bool {
	main, known := born(f.path)
	wal, walKnown := born(f.path + "-wal")
	return known && walKnown && main.Sub(wal) > copying
}

// born is when a file was made (statx(2), STATX_BTIME).
func born(path string) (time.Time, bool) {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &s)
	return time.Unix(s.Btime.Sec, int64(s.Btime.Nsec)), err == nil && s.Mask&unix.STATX_BTIME != 0
}
