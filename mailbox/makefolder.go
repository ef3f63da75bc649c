package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrFolderLimit says that a folder is not made, because the Maildir has enough of them.
var ErrFolderLimit = errors.New("too many folders")

// maxEntries bounds what is read of a Maildir to count its folders; with more it has too many.
const maxEntries = 1 << 17

// CanMakeFolder reports whether a delivery to the folder, which is not there (HasFolder), would
// make it: to asks for that, nothing else has its name, and the Maildir has room for it or can be
// made itself. The error says that it could not be told.
func (s *Store) CanMakeFolder(to Dest) (bool, error) {
	if err := to.Check(); err != nil {
		return false, err
	}
	if to.Folder == "" || to.MakeFolder <= 0 {
		return false, nil
	}
	can := false
	err := s.as(to.Owner, func() (err error) {
		can, err = s.couldMake(to)
		return err
	})
	switch {
	case err == nil:
		return can, nil
	case errors.Is(err, ErrNoRoot):
		return false, err
	case errors.Is(err, ErrFolderLimit), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return false, nil
	}
	return false, fmt.Errorf("look for %s: %w", to, err)
}

// couldMake is CanMakeFolder, with what the kernel says.
func (s *Store) couldMake(to Dest) (bool, error) {
	root, err := s.openRoot(to.Root, toPass)
	if err != nil {
		return false, err
	}
	defer s.shut(root)
	maildir, err := s.openBeneath(root, to.Path)
	if errors.Is(err, unix.ENOENT) {
		return s.opts.Create, nil
	}
	if err != nil {
		return false, err
	}
	defer s.shut(maildir)
	err = s.roomFor(step{fd: maildir}, to)
	return err == nil, err
}

// folder opens a folder of the Maildir, and makes it where it may and must. As for who lists
// folders, one is there when it has a cur/: that is made last, so that one which was left half
// made is made whole.
func (s *Store) folder(ctx context.Context, maildir step, to Dest) (step, error) {
	dir, err := s.subdirectory(maildir, to.Folder, false)
	if to.MakeFolder <= 0 {
		return dir, err
	}
	if err == nil {
		var cur step
		if cur, err = s.subdirectory(dir, "cur", false); err == nil {
			s.shut(cur.fd)
			return dir, nil
		}
		s.shut(dir.fd)
	}
	if !errors.Is(err, unix.ENOENT) {
		return noStep, err
	}
	return s.makeFolder(ctx, maildir, to)
}

// makeFolder makes a folder, durable once the directories above it are synced. The folder can be
// the first thing that is made in a Maildir.
func (s *Store) makeFolder(ctx context.Context, maildir step, to Dest) (step, error) {
	inbox, err := s.complete(maildir, to.Owner)
	if err != nil {
		return noStep, err
	}
	s.leave(inbox)
	if err := s.roomFor(maildir, to); err != nil {
		return noStep, err
	}
	fd, err := s.inside(maildir, to.Folder, true)
	if err != nil {
		return noStep, err
	}
	dir := step{fd: fd}
	if err = s.markFolder(fd); err == nil {
		err = s.subscribe(ctx, maildir.fd, to.Folder)
	}
	for _, name := range []string{"tmp", "new", "cur"} {
		if err == nil {
			fd, err = s.inside(dir, name, true)
		}
		if err == nil {
			s.shut(fd)
		}
	}
	if err != nil {
		s.shut(dir.fd)
		return noStep, err
	}
	return dir, nil
}

// roomFor checks that the Maildir may have one folder more. One that is half made has its room.
func (s *Store) roomFor(maildir step, to Dest) error {
	half, err := s.subdirectory(maildir, to.Folder, false)
	if err == nil {
		s.shut(half.fd)
		return nil
	}
	if !errors.Is(err, unix.ENOENT) || to.MakeFolder == AnyNumber {
		return ignore(err, unix.ENOENT)
	}
	entries, folders := 0, 0
	err = s.sys.readNames(maildir.fd, func(name string) bool {
		entries++
		if name[0] == '.' {
			folders++
		}
		return entries < maxEntries && folders < to.MakeFolder
	})
	switch {
	case err != nil:
		return fmt.Errorf("count the folders of %s: %w", to.Inbox(), err)
	case entries == maxEntries || folders >= to.MakeFolder:
		return fmt.Errorf("make folder %s: %w", to, ErrFolderLimit)
	}
	return nil
}

// markFolder makes the file by which programs that find a Maildir know that it is the folder of
// another one (Maildir++).
func (s *Store) markFolder(dir int) error {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	fd, err := uninterrupted(func() (int, error) { return s.sys.openat(dir, "maildirfolder", flags, 0o600) })
	if err != nil {
		return ignore(err, unix.EEXIST)
	}
	return s.fill(fd, nil, 0o600)
}

// fill writes a small new file, and closes it.
func (s *Store) fill(fd int, content []byte, mode uint32) error {
	err := s.sys.setMode(fd, mode)
	if err == nil {
		err = writeAll(s.sys, fd, [][]byte{content})
	}
	if err == nil && s.opts.Durability != None {
		err = s.sys.fsync(fd)
	}
	if closed := s.sys.close(fd); err == nil {
		err = closed
	}
	return err
}

// ignore gives err, unless it is the one that does no harm.
func ignore(err error, harmless unix.Errno) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
