// Package program runs the programs that an administrator lets Sieve scripts use: those of one directory, one after the
// other has been checked, each bounded in time, in what it writes, and in how many run at once.
package program

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/delivery/sieve"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"
)

// Options are how programs are run.
type Options struct {
	// Path is the directory of the programs. It belongs to root or to Owner, and no other user can write to it; the
	// same holds for each program, which is a file of that directory, or a link to one in it.
	Path string
	// Owner is a user besides root who may own the directory and what is in it. [root only]
	Owner uint32
	// Timeout is how long a program may take; it may wait as long for its turn. [10s]
	Timeout time.Duration
	// AtOnce is how many programs may run at the same time. [8]
	AtOnce int64
	// Spool is a directory for output that is too large for memory. [that of os.TempDir]
	Spool string
}

// A Directory has the programs that scripts may use.
type Directory struct {
	options Options
	turns   *semaphore.Weighted
}

// Open returns a directory of programs. An error says why its programs could not be run.
func Open(o Options) (*Directory, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, err
	}
	o.Path, o.Timeout, o.AtOnce = path, cmp.Or(o.Timeout, 10*time.Second), cmp.Or(o.AtOnce, 8)
	d := &Directory{options: o, turns: semaphore.NewWeighted(o.AtOnce)}
	fd, err := d.open()
	if err != nil {
		return nil, err
	}
	return d, unix.Close(fd)
}

// open opens the directory, if its owner alone can change it.
func (d *Directory) open() (fd int, err error) {
	path := d.options.Path
	fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	var s unix.Stat_t
	if err = unix.Fstat(fd, &s); err == nil {
		err = d.checkOwner(path, &s)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// check reports why a program may not be run. It does so each time: the administrator may have changed it.
func (d *Directory) check(name string) (err error) {
	if strings.Contains(name, "/") {
		return sieve.ErrNoProgram
	}
	dir, err := d.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(dir)) }()
	path := filepath.Join(d.options.Path, name)
	// Links are followed as long as they stay in the directory (openat2(2)).
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch {
	case errors.Is(err, unix.ENOENT):
		return sieve.ErrNoProgram
	case errors.Is(err, unix.EXDEV):
		return hinted("put the program itself there", "%s leads out of the directory", path)
	case err != nil:
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case s.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("%s is no file", path)
	case s.Mode&(unix.S_ISUID|unix.S_ISGID) != 0:
		return hinted("chmod ug-s "+path, "%s would run with the rights of its owner or group", path)
	case s.Mode&0o111 == 0:
		return hinted("chmod +x "+path, "%s is not executable", path)
	}
	return d.checkOwner(path, &s)
}

// checkOwner reports whether a file belongs to whom it must, and who else could change it.
func (d *Directory) checkOwner(path string, s *unix.Stat_t) error {
	switch {
	case s.Uid != 0 && s.Uid != d.options.Owner:
		return hinted("chown root "+path, "%s belongs to user %d", path, s.Uid)
	case s.Mode&0o002 != 0:
		return hinted("chmod o-w "+path, "%s can be written by every user", path)
	case s.Mode&0o020 != 0 && s.Gid != 0:
		return hinted("chmod g-w "+path, "%s can be written by the group %s", path, strconv.Itoa(int(s.Gid)))
	}
	return nil
}

// hinted is an error with what can be done about it.
func hinted(hint, format string, args ...any) error {
	return &sieve.Hinted{Err: fmt.Errorf(format, args...), Hint: hint}
}
