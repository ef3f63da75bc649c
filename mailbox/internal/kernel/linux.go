package kernel

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Linux is the System in production.
type Linux struct{}

func (Linux) Now() time.Time { return time.Now() }

func (Linux) Openat(dir int, name string, flags int, mode uint32) (int, error) {
	return unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
}

// OpenBeneath opens a path that stays below dir and crosses no symbolic link.
func (Linux) OpenBeneath(dir int, path string, flags int) (int, error) {
	return unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

func (Linux) Mkdirat(dir int, name string, mode uint32) error { return unix.Mkdirat(dir, name, mode) }

// SetMode changes a mode only where the umask has spoilt it: a change is one more piece of
// work for the file system's journal.
func (Linux) SetMode(fd int, mode uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&0o777 == mode {
		return nil
	}
	return unix.Fchmod(fd, mode)
}

// Identify asks statx, and fstat where a sandbox filter knows no statx.
func (Linux) Identify(fd int) (FileID, error) {
	var sx unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &sx)
	if err == nil {
		id := FileID{Device: unix.Mkdev(sx.Dev_major, sx.Dev_minor), Inode: sx.Ino}
		if sx.Mask&unix.STATX_BTIME != 0 {
			id.Birth = sx.Btime.Sec*int64(time.Second) + int64(sx.Btime.Nsec)
		}
		return id, nil
	}
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return FileID{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return FileID{}, err
	}
	return FileID{Device: uint64(st.Dev), Inode: st.Ino}, nil
}

func (Linux) Writev(fd int, bufs [][]byte) (int, error) {
	if len(bufs) == 1 {
		return unix.Write(fd, bufs[0])
	}
	return unix.Writev(fd, bufs)
}

func (Linux) Pread(fd int, p []byte, off int64) (int, error) { return unix.Pread(fd, p, off) }

func (Linux) Fsync(fd int) error { return unix.Fsync(fd) }

// noAttribute is the name of an extended attribute that no file has, for the kernel.
var noAttribute = []byte("user.doorstep.none\x00")

// TakesChanges asks for a change that changes nothing: that an attribute be removed which is not
// there. A file system begins a transaction for it all the same. Whatever else it says but that
// it has stopped is an answer of one that lives.
func (Linux) TakesChanges(fd int) error {
	_, _, errno := unix.Syscall(unix.SYS_FREMOVEXATTR, uintptr(fd), uintptr(unsafe.Pointer(&noAttribute[0])), 0)
	switch errno {
	case unix.EIO, unix.EROFS, unix.ESHUTDOWN, unix.ENODEV, unix.EUCLEAN:
		return errno
	}
	return nil
}

// Statfs asks the file system about itself, which a network file system passes on to its server.
func (Linux) Statfs(fd int) error {
	var fs unix.Statfs_t
	return unix.Fstatfs(fd, &fs)
}

// Stat asks about a name, and never about what a symbolic link there points to; "" is the
// descriptor itself.
func (Linux) Stat(dir int, name string) (FileState, error) {
	var st unix.Stat_t
	var err error
	if name == "" {
		err = unix.Fstat(dir, &st)
	} else {
		err = unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	return FileState{
		Regular: st.Mode&unix.S_IFMT == unix.S_IFREG, Type: st.Mode & unix.S_IFMT, Links: uint64(st.Nlink),
		Size: st.Size, Mode: st.Mode & 0o777, Owner: st.Uid,
		Modified: time.Unix(st.Mtim.Unix()), Read: time.Unix(st.Atim.Unix()),
	}, err
}

func (Linux) Close(fd int) error { return unix.Close(fd) }

// Rename never replaces a file.
func (Linux) Rename(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
}

// Replace is a rename over what has the new name.
func (Linux) Replace(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat(fromDir, from, toDir, to)
}

func (Linux) Link(fromDir int, from string, toDir int, to string) error {
	return unix.Linkat(fromDir, from, toDir, to, 0)
}

func (Linux) Unlink(dir int, name string) error { return unix.Unlinkat(dir, name, 0) }

// ReadNames calls take with each name in a directory that was opened for this, until it returns false.
func (Linux) ReadNames(dir int, take func(name string) (more bool)) error {
	buf := make([]byte, 8<<10)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil || n == 0 {
			return err
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			if !take(name) {
				return nil
			}
		}
	}
}

// namelessTries bounds the names tried for a file without one: a second collision of 64 random bits says that
// something else is wrong.
const namelessTries = 4

// Nameless makes a file in a directory that others may write to as well, and takes its name away
// at once. (O_TMPFILE would do, where the file system knows it.)
func (Linux) Nameless(dir string) (int, error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	for range namelessTries {
		name := filepath.Join(dir, "doorstep-"+strconv.FormatUint(rand.Uint64(), 36))
		fd, err := unix.Open(name, flags, 0o600)
		if err == unix.EEXIST {
			continue
		}
		if err == nil {
			if err = unix.Unlink(name); err != nil {
				_ = unix.Close(fd)
			}
		}
		return fd, err
	}
	return -1, unix.EEXIST
}
