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
// deliveries that meet here wait for each other. One that may be passed and not read is none in
// which the process or the owner makes anything.
func (s *Store) prepare(ctx context.Context, to Dest) (maildir, error) {
	if err := s.making.enter(ctx, to.Inbox()); err != nil {
		return noMaildir, fmt.Errorf("wait for %s to be made: %w", to, err)
	}
	defer s.making.leave(to.Inbox())

	chain, md, err := s.build(ctx, to)
	defer func() {
		for _, step := range chain {
			s.shut(step.fd)
		}
	}()
	if err != nil {
		return noMaildir, err
	}
	if s.settled.has(md.id) {
		return md, nil
	}
	if err := s.settle(chain, md.id, to.Owner); err != nil {
		s.leave(md)
		return noMaildir, fmt.Errorf("sync the directories above %s/new: %w", to, err)
	}
	s.settled.add(md.id)
	s.sweeper.note(to)
	return md, nil
}

// settle makes the entry of each directory in the one above durable, down to the new/ that is
// called last. One whose entry was synced since it was made there, for another Maildir, is not
// synced again: those at the top are for the first Maildir below them only.
func (s *Store) settle(chain []step, last fileID, owner Owner) error {
	ids := make([]fileID, 0, len(chain)+1)
	for _, step := range chain {
		id, err := s.sys.identify(step.fd)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	ids = append(ids, last)
	for i, step := range chain {
		above := entry{ids[i], ids[i+1]}
		if step.passed || s.entries.has(above) {
			continue
		}
		// It was opened by its entry, so that a sync which begins now is for that entry too.
		if err := s.committer.syncDir(directory{step.fd, ids[i], owner}); err != nil {
			return err
		}
		if above.child.birth != 0 { // else it could be another one with the same number later
			s.entries.add(above)
		}
	}
	return nil
}

// A step is an open directory on the way to a Maildir.
type step struct {
	fd     int
	passed bool // it may not be read, and was opened to go through
}

var noStep = step{fd: -1}

// build opens the directories on the way one by one, making the missing, and then the three
// inside the Maildir. The chain it returns, complete or not, is the caller's to close; it
// begins with the root.
func (s *Store) build(ctx context.Context, to Dest) (chain []step, md maildir, err error) {
	md = noMaildir
	err = s.as(to.Owner, func() error {
		root, err := s.rootToBuildIn(to.Root)
		if err == nil {
			chain = append(chain, root)
		}
		return err
	})
	if err != nil {
		return nil, noMaildir, err
	}
	id, err := s.sys.identify(chain[0].fd)
	if err != nil {
		return chain, noMaildir, fmt.Errorf("stat mail root %s: %w", to.Root, err)
	}
	if err := s.gate.enter(ctx, id.dev); err != nil {
		return chain, noMaildir, fmt.Errorf("wait for the file system of %s: %w", to.Root, err)
	}
	defer s.gate.leave(id.dev)
	err = s.as(to.Owner, func() (err error) {
		if chain, err = s.descend(ctx, chain, to); err != nil {
			return err
		}
		md, err = s.complete(chain[len(chain)-1], to.Owner)
		return err
	})
	if err != nil {
		return chain, noMaildir, noMailbox(to, err)
	}
	return chain, md, nil
}

// rootToBuildIn opens the mail root, for reading if it may be read.
func (s *Store) rootToBuildIn(root string) (step, error) {
	fd, err := s.openRoot(root, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.EACCES) {
		fd, err = s.openRoot(root, toPass)
		return step{fd, true}, err
	}
	return step{fd: fd}, err
}

// descend adds the directories below the root, down to the Maildir.
func (s *Store) descend(ctx context.Context, chain []step, to Dest) ([]step, error) {
	in := chain[len(chain)-1]
	for name := range strings.SplitSeq(to.Path, "/") {
		next, err := s.subdirectory(in, name, s.opts.Create)
		if err != nil {
			return chain, err
		}
		chain, in = append(chain, next), next
	}
	if to.Folder != "" {
		next, err := s.folder(ctx, in, to)
		if err != nil {
			return chain, err
		}
		chain = append(chain, next)
	}
	return chain, nil
}

// complete opens tmp/ and new/ of the Maildir dir and makes those of its three directories
// that are missing. An empty directory is no Maildir: it may be where one gets mounted.
func (s *Store) complete(dir step, owner Owner) (maildir, error) {
	create := s.opts.Create
	for _, name := range []string{"cur", "new", "tmp"} {
		fd, err := s.openComponent(dir.fd, name, asDirectory)
		if err == nil {
			create = true
		} else if !errors.Is(err, unix.ENOENT) {
			return noMaildir, err
		}
		s.shut(fd)
	}
	cur, err := s.inside(dir, "cur", create)
	if err != nil {
		return noMaildir, err
	}
	s.shut(cur)
	md := noMaildir
	if md.tmp, err = s.inside(dir, "tmp", create); err == nil {
		md.new, err = s.inside(dir, "new", create)
	}
	if err == nil {
		md.id, err = s.sys.identify(md.new)
	}
	if err == nil {
		err = s.belongs(owner, md.tmp, md.new)
	}
	if err != nil {
		s.leave(md)
		return noMaildir, err
	}
	return md, nil
}

// subdirectory opens the directory name in dir, and makes it when it may and must.
func (s *Store) subdirectory(dir step, name string, create bool) (step, error) {
	fd, err := s.inside(dir, name, create)
	if err == unix.EACCES { // from opening it, not from making it
		fd, err = s.openComponent(dir.fd, name, toPass|unix.O_NOFOLLOW)
		return step{fd, true}, err
	}
	return step{fd: fd}, err
}

// inside is subdirectory for one that must be read.
func (s *Store) inside(dir step, name string, create bool) (int, error) {
	fd, err := s.openComponent(dir.fd, name, asDirectory)
	if !create || !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	if dir.passed {
		return -1, fmt.Errorf("make %s: its directory may not be read: %w", name, unix.EACCES)
	}
	if err := s.sys.mkdirat(dir.fd, name, 0o700); errors.Is(err, unix.EEXIST) {
		return s.openComponent(dir.fd, name, asDirectory) // somebody else was faster
	} else if err != nil {
		return -1, fmt.Errorf("make %s: %w", name, err)
	}
	if fd, err = s.openComponent(dir.fd, name, asDirectory); err != nil {
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
	fd, last := -1, strings.Count(path, "/")
	for name := range strings.SplitSeq(path, "/") {
		flags := toPass | unix.O_NOFOLLOW
		if last--; last < 0 {
			flags = asDirectory
		}
		next, err := s.openComponent(dir, name, flags)
		s.shut(fd)
		if err != nil {
			return -1, err
		}
		dir, fd = next, next
	}
	return fd, nil
}

func (s *Store) openComponent(dir int, name string, flags int) (int, error) {
	return uninterrupted(func() (int, error) { return s.sys.openat(dir, name, flags, 0) })
}

// noMailbox explains an error of making a Maildir.
func noMailbox(to Dest, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("open %s: %w: %w", to, ErrNoMailbox, err)
	}
	return notMaildir(to, err)
}
