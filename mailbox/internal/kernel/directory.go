package kernel

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoRoot says that the directory below which the Maildirs live is not there.
var ErrNoRoot = errors.New("mail root is missing")

const (
	// AsDirectory opens a directory itself, never what a symbolic link there points to.
	AsDirectory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	// ToPass opens a directory in order to go through it, which takes no right to read it.
	ToPass = unix.O_PATH | unix.O_DIRECTORY
)

// An FS is a System with the ways into a tree of directories, none of which follows a symbolic link.
type FS struct{ System }

// As takes a step with the rights of o; the zero Owner is the process, which costs nothing. The calls to the kernel
// that go by a name or make something need it; an open descriptor keeps the rights that it was opened with.
func (fs FS) As(o Owner, step func() error) error {
	if o == (Owner{}) {
		return step()
	}
	return fs.System.As(o, step)
}

// Belongs checks that the directories of a Maildir are those of its owner: others could take
// the mail away again, or put other mail in its place.
func (fs FS) Belongs(o Owner, fds ...int) error {
	if o == (Owner{}) {
		return nil
	}
	for _, fd := range fds {
		is, err := fs.Stat(fd, "")
		if err != nil {
			return err
		}
		if is.Owner != o.UID {
			return fmt.Errorf("%w (%d, not %d)", ErrForeign, is.Owner, o.UID)
		}
	}
	return nil
}

// OpenRoot opens the mail root as the administrator wrote it: it may be, or lie after, a
// symbolic link.
func (fs FS) OpenRoot(root string, flags int) (int, error) {
	fd, err := fs.Open(unix.AT_FDCWD, root, flags)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return -1, fmt.Errorf("open %s: %w: %w", root, ErrNoRoot, err)
	}
	if err != nil {
		return -1, fmt.Errorf("open mail root %s: %w", root, err)
	}
	return fd, nil
}

// OpenPath opens the directory at path, which stays below dir and crosses no symbolic
// link: in one call where the kernel can (5.6) and a sandbox filter lets it.
func (fs FS) OpenPath(dir int, path string) (int, error) {
	fd, err := Uninterrupted(func() (int, error) { return fs.OpenBeneath(dir, path, AsDirectory) })
	switch err {
	case unix.ENOSYS, unix.EPERM, unix.EAGAIN:
		return fs.walk(dir, path)
	}
	return fd, err
}

// walk opens the directory at path component by component.
func (fs FS) walk(dir int, path string) (int, error) {
	fd, last := -1, strings.Count(path, "/")
	for name := range strings.SplitSeq(path, "/") {
		flags := ToPass | unix.O_NOFOLLOW
		if last--; last < 0 {
			flags = AsDirectory
		}
		next, err := fs.Open(dir, name, flags)
		fs.Shut(fd)
		if err != nil {
			return -1, err
		}
		dir, fd = next, next
	}
	return fd, nil
}

// Open opens what has a name in a directory.
func (fs FS) Open(dir int, name string, flags int) (int, error) {
	return Uninterrupted(func() (int, error) { return fs.Openat(dir, name, flags, 0) })
}

// Create makes a file, which must not be there, for writing. Its mode is 0600 less the umask.
func (fs FS) Create(dir int, name string) (int, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	return Uninterrupted(func() (int, error) { return fs.Openat(dir, name, flags, 0o600) })
}

// Shut closes a descriptor that was only read or synced: its error says nothing about mail. It ignores -1.
func (fs FS) Shut(fd int) {
	if fd >= 0 {
		_ = fs.Close(fd)
	}
}

// Within calls do with the directory name in dir. What is not there or no directory is passed over.
func (fs FS) Within(dir int, name string, do func(fd int) error) error {
	fd, err := fs.Open(dir, name, AsDirectory)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil
	case err != nil:
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer fs.Shut(fd)
	return do(fd)
}

// List calls each with every name in a directory, "." and ".." left out, until ctx ends or each fails. Reading moves
// in the directory: dir was opened for this alone.
func (fs FS) List(ctx context.Context, dir int, each func(name string) error) error {
	var broken error
	err := fs.ReadNames(dir, func(name string) bool {
		if broken = ctx.Err(); broken == nil {
			broken = each(name)
		}
		return broken == nil
	})
	if err != nil {
		return fmt.Errorf("read a directory: %w", err)
	}
	return broken
}

// Ignore returns err, unless it is the one that does no harm.
func Ignore(err error, harmless unix.Errno) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
