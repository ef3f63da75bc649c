// Package kernel is what mailbox asks of the operating system: system calls relative to open directories, the
// rights of a mailbox's owner, and ways into a directory tree that follow no symbolic link.
package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// A System is what the store asks of the kernel and nothing else, so that tests can watch the order of the calls
// and make each of them fail. All names are relative to a directory descriptor: a path that changes during a
// delivery cannot lead it elsewhere.
type System interface {
	Now() time.Time
	Openat(dir int, name string, flags int, mode uint32) (int, error)
	OpenBeneath(dir int, path string, flags int) (int, error)
	Mkdirat(dir int, name string, mode uint32) error
	SetMode(fd int, mode uint32) error
	Identify(fd int) (FileID, error)
	Writev(fd int, bufs [][]byte) (int, error)
	Pread(fd int, p []byte, off int64) (int, error)
	Fsync(fd int) error
	TakesChanges(fd int) error
	Statfs(fd int) error
	Close(fd int) error
	Rename(fromDir int, from string, toDir int, to string) error
	Link(fromDir int, from string, toDir int, to string) error
	Unlink(dir int, name string) error
	As(o Owner, step func() error) error
	Nameless(dir string) (int, error)
	Replace(fromDir int, from string, toDir int, to string) error
	Stat(dir int, name string) (FileState, error)
	ReadNames(dir int, take func(name string) (more bool)) error
}

// A FileState is what stat reports a file.
type FileState struct {
	Regular  bool
	Type     uint32 // S_IFREG, S_IFDIR, S_IFLNK and so on
	Links    uint64
	Size     int64
	Mode     uint32    // permissions
	Owner    uint32    // the user's number
	Modified time.Time // when its content changed, or the names in it
	Read     time.Time // as far as the mount keeps it
}

// A FileID tells a directory from every other one there is or was: an inode number is used
// again after a removal, the time of birth is not.
type FileID struct {
	Device, Inode uint64
	Birth         int64 // nanoseconds since 1970; 0 where the file system keeps none
}

// interruptions is how often a call is begun again after a signal. Go installs its handlers
// with SA_RESTART, so one is rare already.
const interruptions = 100

// Uninterrupted repeats a call that a signal cut short before it did anything. It is not for
// fsync: there an error is an error.
func Uninterrupted(call func() (int, error)) (n int, err error) {
	for range interruptions {
		if n, err = call(); err != unix.EINTR {
			break
		}
	}
	return n, err
}

// WriteAll writes bufs one after the other, however short each write is. It uses up bufs.
func WriteAll(sys System, fd int, bufs [][]byte) error {
	for len(bufs) > 0 {
		if len(bufs[0]) == 0 {
			bufs = bufs[1:]
			continue
		}
		n, err := Uninterrupted(func() (int, error) { return sys.Writev(fd, bufs) })
		if err != nil {
			return err
		}
		if n == 0 {
			return unix.EIO // a regular file never takes nothing; do not spin if one does
		}
		for n > 0 {
			used := min(n, len(bufs[0]))
			bufs[0], n = bufs[0][used:], n-used
			if len(bufs[0]) == 0 {
				bufs = bufs[1:]
			}
		}
	}
	return nil
}
