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

// spool moves the content in memory, as it was sent, into a file that has no name and that only the process can
// write to. Every copy reads it back from there.
func (c *Content) spool() error {
	sys, dir := c.store.sys, c.store.opts.Spool
	if c.spill.source < 0 {
		fd, err := sys.nameless(dir)
		if err != nil {
			return fmt.Errorf("make a file for large content in %s: %w", dir, err)
		}
		c.spill.source = fd
	}
	if err := writeAll(sys, c.spill.source, [][]byte{c.buf}); err != nil {
		return fmt.Errorf("write large content in %s: %w", dir, err)
	}
	sent := c.buf
	c.flushed()
	c.ends.put(sent[:0], sent) // for the sizes
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
