package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// A disk is the system calls of an outbox, so that tests can have each of them fail.
type disk interface {
	// Create writes a new file and makes its content durable.
	Create(path string, content []byte) error
	// Rename makes a file visible, and SyncDir its name durable.
	Rename(from, to string) error
	SyncDir(path string) error
	Remove(path string) error
}

type linux struct{}

func (linux) Create(path string, content []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.Sync()
}

func (linux) Rename(from, to string) error { return os.Rename(from, to) }

func (linux) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (linux) Remove(path string) error { return os.Remove(path) }

// makeDirs makes the directory with its parts, whose names are durable when it returns. What contains it is there.
func makeDirs(dir string) error {
	for _, path := range []string{dir, dir + "/tmp", dir + "/new", dir + "/failed"} {
		switch err := os.Mkdir(path, 0o700); {
		case err == nil:
			if err := (linux{}).SyncDir(filepath.Dir(path)); err != nil {
				return err
			}
		case !errors.Is(err, os.ErrExist):
			return err
		}
	}
	return nil
}
