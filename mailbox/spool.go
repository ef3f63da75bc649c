package mailbox

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// ownersDiffer reports whether the copies of m are not all one owner's.
func (m *Message) ownersDiffer() bool {
	for _, f := range m.files {
		if f.to.Owner != m.files[0].to.Owner {
			return true
		}
	}
	return false
}

// spool moves the content in memory into a file that has no name and that only the process can
// write to. Every copy reads it back from there.
func (m *Message) spool() error {
	sys := m.store.sys
	if m.spill.source < 0 {
		fd, err := sys.nameless(m.store.opts.Spool)
		if err != nil {
			return fmt.Errorf("make a file for large content in %s: %w", m.store.opts.Spool, err)
		}
		m.spill.source = fd
	}
	if err := writeAll(sys, m.spill.source, [][]byte{m.buf}); err != nil {
		return fmt.Errorf("write large content in %s: %w", m.store.opts.Spool, err)
	}
	m.flushed()
	return nil
}

// nameless makes a file in a directory that others may write to as well, and takes its name away
// at once. (O_TMPFILE would do, where the file system knows it.)
func (kernel) nameless(dir string) (int, error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	for range nameTries {
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

// spoolDirectory is where files go that need not outlive the process: on a disk, which /tmp often
// is not (file-hierarchy(7)).
func spoolDirectory() string {
	if dir := os.Getenv("TMPDIR"); dir != "" {
		return dir
	}
	return "/var/tmp"
}
