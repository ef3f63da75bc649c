package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// prepare makes what is missing of the Maildir at to, and makes sure that the Maildir is
// durable itself: that every directory from root down to new/ would be found again after a
// power cut. It opens the Maildir.
//
// That a directory is there does not say that its name is on the disk: another delivery, in
// this process or one that was killed, may have made it a moment ago. So the first delivery
// into a Maildir since the start syncs all directories above it, whoever made them, and
// deliveries that meet here wait for each other.
func (s *Store) prepare(ctx context.Context, root int, to Dest) (maildir, error) {
	if err := s.making.enter(ctx, to); err != nil {
		return noMaildir, fmt.Errorf("wait for %s to be made: %w", to, err)
	}
	defer s.making.leave(to)

	chain, md, err := s.build(ctx, root, to)
	defer func() {
		for _, fd := range chain {
			s.shut(fd)
		}
	}()
	if err != nil {
		return noMaildir, err
	}
	if s.settled.has(md.id) {
		return md, nil
	}
	for _, fd := range append([]int{root}, chain...) {
		if err := s.syncParent(fd); err != nil {
			s.leave(md)
			return noMaildir, fmt.Errorf("sync the directories above %s/new: %w", to, err)
		}
	}
	s.settled.add(md.id)
	return md, nil
}

func (s *Store) syncParent(fd int) error {
	id, err := s.sys.identify(fd)
	if err != nil {
		return err
	}
	return s.committer.syncDir(fd, id)
}

// build opens the directories of path one by one, making the missing, and then the three
// inside the Maildir. The chain it returns, complete or not, is the caller's to close.
func (s *Store) build(ctx context.Context, root int, to Dest) (chain []int, md maildir, err error) {
	id, err := s.sys.identify(root)
	if err != nil {
		return nil, noMaildir, fmt.Errorf("stat mail root %s: %w", to.Root, err)
	}
	if err := s.gate.enter(ctx, id.dev); err != nil {
		return nil, noMaildir, fmt.Errorf("wait for the file system of %s: %w", to.Root, err)
	}
	defer s.gate.leave(id.dev)

	dir := root
	for name := range strings.SplitSeq(to.Path, "/") {
		if dir, err = s.subdirectory(dir, name, s.opts.Create); err != nil {
			return chain, noMaildir, noMailbox(to, err)
		}
		chain = append(chain, dir)
	}
	if to.Folder != "" {
		if dir, err = s.subdirectory(dir, to.Folder, false); err != nil {
			return chain, noMaildir, noMailbox(to, err)
		}
		chain = append(chain, dir)
	}
	md, err = s.complete(dir)
	if err != nil {
		return chain, noMaildir, noMailbox(to, err)
	}
	return chain, md, nil
}

// complete opens tmp/ and new/ of the Maildir dir and makes those of its three directories
// that are missing. An empty directory is no Maildir: it may be where one gets mounted.
func (s *Store) complete(dir int) (maildir, error) {
	create := s.opts.Create
	for _, name := range []string{"cur", "new", "tmp"} {
		fd, err := s.subdirectory(dir, name, false)
		if err == nil {
			create = true
		} else if !errors.Is(err, unix.ENOENT) {
			return noMaildir, err
		}
		s.shut(fd)
	}
	cur, err := s.subdirectory(dir, "cur", create)
	if err != nil {
		return noMaildir, err
	}
	s.shut(cur)
	md := noMaildir
	if md.tmp, err = s.subdirectory(dir, "tmp", create); err == nil {
		md.new, err = s.subdirectory(dir, "new", create)
	}
	if err == nil {
		md.id, err = s.sys.identify(md.new)
	}
	if err != nil {
		s.leave(md)
		return noMaildir, err
	}
	return md, nil
}

// subdirectory opens the directory name in dir, and makes it when it may and must.
func (s *Store) subdirectory(dir int, name string, create bool) (int, error) {
	fd, err := s.openComponent(dir, name)
	if !create || !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	if err := s.sys.mkdirat(dir, name, 0o700); errors.Is(err, unix.EEXIST) {
		return s.openComponent(dir, name) // somebody else was faster
	} else if err != nil {
		return -1, fmt.Errorf("make %s: %w", name, err)
	}
	if fd, err = s.openComponent(dir, name); err != nil {
		return -1, err
	}
	if err := s.sys.setMode(fd, 0o700); err != nil { // whatever the umask says
		s.shut(fd)
		return -1, fmt.Errorf("chmod %s: %w", name, err)
	}
	return fd, nil
}

// walk opens the directory at path component by component.
func (s *Store) walk(dir int, path string) (int, error) {
	fd := -1
	for name := range strings.SplitSeq(path, "/") {
		next, err := s.openComponent(dir, name)
		s.shut(fd)
		if err != nil {
			return -1, err
		}
		dir, fd = next, next
	}
	return fd, nil
}

func (s *Store) openComponent(dir int, name string) (int, error) {
	return uninterrupted(func() (int, error) { return s.sys.openat(dir, name, asDirectory, 0) })
}

// noMailbox explains an error of making a Maildir.
func noMailbox(to Dest, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("open %s: %w: %w", to, ErrNoMailbox, err)
	}
	return notMaildir(to, err)
}
