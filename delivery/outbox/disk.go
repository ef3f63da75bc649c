package outbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A system is the system calls of an outbox, so that tests can have each of them fail and hang.
type system interface {
	Mkdir(path string) error
	Open(path string, flags int) (file, error)
	Rename(from, to string) error
	Remove(path string) error
	Lstat(path string) (os.FileInfo, error)
	ReadDir(path string) ([]os.DirEntry, error)
}

// A file is an open one, or a directory.
type file interface {
	io.ReadWriteCloser
	Sync() error
	// Lock keeps other processes from the file until it is closed: errBusy where one of them does so.
	Lock() error
}

var (
	errNotThere = os.ErrNotExist
	errBusy     = errors.New("another process is sending it")
)

type linux struct{}

func (linux) Mkdir(path string) error                    { return os.MkdirAll(path, 0o700) }
func (linux) Rename(from, to string) error               { return os.Rename(from, to) }
func (linux) Remove(path string) error                   { return os.Remove(path) }
func (linux) Lstat(path string) (os.FileInfo, error)     { return os.Lstat(path) }
func (linux) ReadDir(path string) ([]os.DirEntry, error) { return os.ReadDir(path) }

func (linux) Open(path string, flags int) (file, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	return linuxFile{f}, nil
}

type linuxFile struct{ *os.File }

func (f linuxFile) Lock() error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return errBusy
		default:
			return os.NewSyscallError("flock", err)
		}
	}
}

// A disk is what an outbox does with system calls.
type disk struct {
	system
	dir, host string
	names     rounds // syncs of new/
}

// path is that of a file in tmp, new or failed.
func (d *disk) path(sub, name string) string { return filepath.Join(d.dir, sub, name) }

// newName is unique: the time, so that the oldest come first, chance, and the host, which alone sends it.
func (d *disk) newName() string {
	return fmt.Sprintf("%d.%s.%s", time.Now().UnixNano(), rand.Text()[:10], d.host)
}

// ours reports whether this machine sends a file, and when it was staged.
func (d *disk) ours(name string) (since time.Time, ok bool) {
	since, host := parseName(name)
	return since, host == d.host
}

// makeDirs makes the directory with its parts, whose names are durable when it returns.
func (d *disk) makeDirs() error {
	for _, sub := range []string{"tmp", "new", "failed"} {
		if err := d.Mkdir(d.path(sub, "")); err != nil {
			return err
		}
	}
	return errors.Join(d.syncDir(d.dir), d.syncDir(filepath.Dir(d.dir)))
}

// create writes a new file and makes its content durable.
func (d *disk) create(path string, content []byte) (err error) {
	f, err := d.Open(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the names in a directory durable.
func (d *disk) syncDir(path string) error {
	f, err := d.Open(path, os.O_RDONLY|syscall.O_DIRECTORY)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncNames makes durable which entries there are.
func (d *disk) syncNames() error {
	return d.names.do(func() error { return d.syncDir(d.path("new", "")) })
}

// tryToWrite finds out whether an entry finds room.
func (d *disk) tryToWrite() error {
	path := d.path("tmp", d.newName())
	return errors.Join(d.create(path, make([]byte, probeSize)), d.Remove(path))
}

// sweep removes what was staged and never published.
func (d *disk) sweep() error {
	files, err := d.list(d.path("tmp", ""))
	for name := range files {
		if since, ok := d.ours(name); ok && time.Since(since) > leftover {
			if wrong := d.Remove(d.path("tmp", name)); !errors.Is(wrong, errNotThere) {
				err = errors.Join(err, wrong)
			}
		}
	}
	return err
}

// list returns the sizes of the regular files in a directory.
func (d *disk) list(path string) (map[string]int64, error) {
	entries, err := d.ReadDir(path)
	if err != nil {
		return nil, err
	}
	sizes := make(map[string]int64, len(entries))
	for _, e := range entries {
		info, err := d.Lstat(filepath.Join(path, e.Name()))
		if errors.Is(err, errNotThere) {
			continue // another process has sent it in the meantime
		}
		if err != nil {
			return nil, err
		}
		if info.Mode().IsRegular() {
			sizes[e.Name()] = info.Size()
		}
	}
	return sizes, nil
}

// hold locks and reads a file, which keeps it from other processes until it is closed.
func (d *disk) hold(path string) (content []byte, held file, err error) {
	f, err := d.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	if content, err = d.read(f, path); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return content, f, nil
}

func (d *disk) read(f file, path string) ([]byte, error) {
	if err := f.Lock(); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err == nil { // who had the lock before may have sent it, and removed it
		_, err = d.Lstat(path)
	}
	return content, err
}
