package mailbox

import (
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A system is what the package asks of the kernel and nothing else, so that tests can watch
// the order of the calls and make each of them fail. All names are relative to a directory
// descriptor: a path that changes under a delivery cannot lead it elsewhere.
type system interface {
	now() time.Time
	openat(dir int, name string, flags int, mode uint32) (int, error)
	openBeneath(dir int, path string, flags int) (int, error)
	mkdirat(dir int, name string, mode uint32) error
	setMode(fd int, mode uint32) error
	identify(fd int) (fileID, error)
	writev(fd int, bufs [][]byte) (int, error)
	pread(fd int, p []byte, off int64) (int, error)
	fsync(fd int) error
	takesChanges(fd int) error
	close(fd int) error
	rename(fromDir int, from string, toDir int, to string) error
	link(fromDir int, from string, toDir int, to string) error
	unlink(dir int, name string) error
	ownerOf(fd int) (uid uint32, err error)
	as(o Owner, step func() error) error
	nameless(dir string) (int, error)
	replace(fromDir int, from string, toDir int, to string) error
	stat(dir int, name string) (fileState, error)
	readNames(dir int, take func(name string) (more bool)) error
}

// A fileState is what a file is like.
type fileState struct {
	regular bool
	links   uint64
	size    int64
	mode    uint32    // permissions
	changed time.Time // its content, or the names in it
}

// A fileID tells a directory from every other one there is or was: an inode number is used
// again after a removal, the time of birth is not.
type fileID struct {
	dev, ino uint64
	birth    int64
}

// kernel is the system in production.
type kernel struct{}

func (kernel) now() time.Time { return time.Now() }

func (kernel) openat(dir int, name string, flags int, mode uint32) (int, error) {
	return unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
}

// openBeneath opens a path that stays below dir and crosses no symbolic link.
func (kernel) openBeneath(dir int, path string, flags int) (int, error) {
	return unix.Openat2(dir, path, &unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

func (kernel) mkdirat(dir int, name string, mode uint32) error { return unix.Mkdirat(dir, name, mode) }

// setMode changes a mode only where the umask has spoilt it: a change is one more piece of
// work for the file system's journal.
func (kernel) setMode(fd int, mode uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&0o777 == mode {
		return nil
	}
	return unix.Fchmod(fd, mode)
}

// identify asks statx, and fstat where a sandbox filter knows no statx.
func (kernel) identify(fd int) (fileID, error) {
	var sx unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_INO|unix.STATX_BTIME, &sx)
	if err == nil {
		id := fileID{dev: unix.Mkdev(sx.Dev_major, sx.Dev_minor), ino: sx.Ino}
		if sx.Mask&unix.STATX_BTIME != 0 {
			id.birth = sx.Btime.Sec*int64(time.Second) + int64(sx.Btime.Nsec)
		}
		return id, nil
	}
	if !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return fileID{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fileID{}, err
	}
	return fileID{dev: uint64(st.Dev), ino: st.Ino}, nil
}

func (kernel) writev(fd int, bufs [][]byte) (int, error) {
	if len(bufs) == 1 {
		return unix.Write(fd, bufs[0])
	}
	return unix.Writev(fd, bufs)
}

func (kernel) pread(fd int, p []byte, off int64) (int, error) { return unix.Pread(fd, p, off) }

func (kernel) fsync(fd int) error { return unix.Fsync(fd) }

// noAttribute is the name of an extended attribute that no file has, for the kernel.
var noAttribute = []byte("user.doorstep.none\x00")

// takesChanges asks for a change that changes nothing: that an attribute be removed which is not
// there. A file system begins a transaction for it all the same. Whatever else it says but that
// it has stopped is an answer of one that lives.
func (kernel) takesChanges(fd int) error {
	_, _, errno := unix.Syscall(unix.SYS_FREMOVEXATTR, uintptr(fd), uintptr(unsafe.Pointer(&noAttribute[0])), 0)
	switch errno {
	case unix.EIO, unix.EROFS, unix.ESHUTDOWN, unix.ENODEV, unix.EUCLEAN:
		return errno
	}
	return nil
}

// stat asks about a name, and never about what a symbolic link there points to; "" is the
// descriptor itself.
func (kernel) stat(dir int, name string) (fileState, error) {
	var st unix.Stat_t
	var err error
	if name == "" {
		err = unix.Fstat(dir, &st)
	} else {
		err = unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	return fileState{
		regular: st.Mode&unix.S_IFMT == unix.S_IFREG, links: uint64(st.Nlink), size: st.Size, mode: st.Mode & 0o777,
		changed: time.Unix(st.Mtim.Unix()),
	}, err
}

func (kernel) close(fd int) error { return unix.Close(fd) }

// rename never replaces a file.
func (kernel) rename(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
}

// replace is a rename over what has the new name.
func (kernel) replace(fromDir int, from string, toDir int, to string) error {
	return unix.Renameat(fromDir, from, toDir, to)
}

func (kernel) link(fromDir int, from string, toDir int, to string) error {
	return unix.Linkat(fromDir, from, toDir, to, 0)
}

func (kernel) unlink(dir int, name string) error { return unix.Unlinkat(dir, name, 0) }

// readNames gives take the names in a directory that was opened for this, as long as it wants more.
func (kernel) readNames(dir int, take func(name string) (more bool)) error {
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

// interruptions is how often a call is begun again after a signal. Go installs its handlers
// with SA_RESTART, so one is rare already.
const interruptions = 100

// uninterrupted repeats a call that a signal cut short before it did anything. It is not for
// fsync: there an error is an error.
func uninterrupted(call func() (int, error)) (n int, err error) {
	for range interruptions {
		if n, err = call(); err != unix.EINTR {
			break
		}
	}
	return n, err
}

// writeAll writes bufs one behind the other, however short each write is. It uses up bufs.
func writeAll(sys system, fd int, bufs [][]byte) error {
	for len(bufs) > 0 {
		if len(bufs[0]) == 0 {
			bufs = bufs[1:]
			continue
		}
		n, err := uninterrupted(func() (int, error) { return sys.writev(fd, bufs) })
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
