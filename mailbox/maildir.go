package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// asDirectory opens a directory itself, never what a symbolic link there points to.
const asDirectory = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW

// A maildir is a Maildir opened for one delivery. Descriptors are not kept between
// deliveries: opening costs microseconds beside two syncs, and a Maildir that was replaced, or a
// mount that came or went, is seen at once.
type maildir struct {
	tmp, new int
	id       fileID // of new/
}

var noMaildir = maildir{tmp: -1, new: -1}

// open opens the Maildir at to. One that is incomplete, missing, or not known to be
// durable itself is prepared first.
func (s *Store) open(ctx context.Context, to Dest) (maildir, error) {
	if s.closed.Load() {
		return noMaildir, fmt.Errorf("open %s: %w", to, errClosed)
	}
	if err := to.Check(); err != nil {
		return noMaildir, err
	}
	md, err := s.find(to)
	switch {
	case err == nil && s.settled.has(md.id):
		return md, nil
	case err == nil:
		s.leave(md)
	case errors.Is(err, ErrNoRoot):
		return noMaildir, err
	case !errors.Is(err, unix.ENOENT):
		return noMaildir, notMaildir(to, err)
	}
	return s.prepare(ctx, to)
}

// find opens a Maildir that should be there.
func (s *Store) find(to Dest) (maildir, error) {
	if to.Owner == (Owner{}) {
		return s.enter(to)
	}
	var found maildir
	err := s.sys.as(to.Owner, func() (err error) {
		found, err = s.enter(to)
		return err
	})
	if err != nil {
		return noMaildir, err
	}
	return found, nil
}

// toPass opens a directory in order to go through it, which takes no right to read it.
const toPass = unix.O_PATH | unix.O_DIRECTORY

// openRoot opens the mail root as the administrator wrote it: it may be, or lie behind, a
// symbolic link.
func (s *Store) openRoot(root string, flags int) (int, error) {
	fd, err := uninterrupted(func() (int, error) { return s.sys.openat(unix.AT_FDCWD, root, flags, 0) })
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return -1, fmt.Errorf("open %s: %w: %w", root, ErrNoRoot, err)
	}
	if err != nil {
		return -1, fmt.Errorf("open mail root %s: %w", root, err)
	}
	return fd, nil
}

// enter opens tmp/ and new/.
func (s *Store) enter(to Dest) (maildir, error) {
	root, err := s.openRoot(to.Root, toPass)
	if err != nil {
		return noMaildir, err
	}
	defer s.shut(root)
	path, md := to.below(), noMaildir
	if md.tmp, err = s.openBeneath(root, path+"/tmp"); err != nil {
		return noMaildir, err
	}
	if md.new, err = s.openBeneath(root, path+"/new"); err == nil {
		md.id, err = s.sys.identify(md.new)
	}
	if err == nil {
		err = s.belongs(to.Owner, md.tmp, md.new)
	}
	if err != nil {
		s.leave(md)
		return noMaildir, err
	}
	return md, nil
}

// openBeneath opens the directory at path, which stays below dir and crosses no symbolic
// link: in one call where the kernel can (5.6) and a sandbox filter lets it.
func (s *Store) openBeneath(dir int, path string) (int, error) {
	fd, err := uninterrupted(func() (int, error) { return s.sys.openBeneath(dir, path, asDirectory) })
	switch err {
	case unix.ENOSYS, unix.EPERM, unix.EAGAIN:
		return s.walk(dir, path)
	}
	return fd, err
}

// leave closes the descriptors of md.
func (s *Store) leave(md maildir) {
	s.shut(md.tmp)
	s.shut(md.new)
}

// shut closes a descriptor that was only read or synced: its error tells nothing about mail.
func (s *Store) shut(fd int) {
	if fd >= 0 {
		_ = s.sys.close(fd)
	}
}

// notMaildir explains an error of opening a Maildir's directories.
func notMaildir(to Dest, err error) error {
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EXDEV):
		return fmt.Errorf("open %s: %w: %w", to, ErrNotMaildir, err)
	}
	return fmt.Errorf("open %s: %w", to, err)
}
