package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// maxEntries bounds what is read of a Maildir to count its folders; with more it has too many.
const maxEntries = 1 << 17

// couldMake is CanMakeFolder, with what the kernel says.
func (m *maildirs) couldMake(to Dest) (bool, error) {
	root, err := m.OpenRoot(to.Root, kernel.ToPass)
	if err != nil {
		return false, err
	}
	defer m.Shut(root)
	maildir, err := m.OpenPath(root, to.Path)
	if errors.Is(err, unix.ENOENT) {
		return m.create, nil
	}
	if err != nil {
		return false, err
	}
	defer m.Shut(maildir)
	err = m.roomFor(step{fd: maildir}, to)
	return err == nil, err
}

// folder opens a folder of the Maildir, and makes it where it may and must. As for who lists
// folders, one is there when it has a cur/: that is made last, so that one which was left half
// made is made whole.
func (m *maildirs) folder(ctx context.Context, maildir step, to Dest) (step, error) {
	dir, err := m.subdirectory(maildir, to.Folder, false)
	if to.MakeFolder <= 0 {
		return dir, err
	}
	if err == nil {
		var cur step
		if cur, err = m.subdirectory(dir, "cur", false); err == nil {
			m.Shut(cur.fd)
			return dir, nil
		}
		m.Shut(dir.fd)
	}
	if !errors.Is(err, unix.ENOENT) {
		return noStep, err
	}
	return m.makeFolder(ctx, maildir, to)
}

// makeFolder makes a folder, durable once the directories above it are synced. The folder can be
// the first thing that is made in a Maildir.
func (m *maildirs) makeFolder(ctx context.Context, maildir step, to Dest) (step, error) {
	inbox, err := m.complete(maildir, to.Owner)
	if err != nil {
		return noStep, err
	}
	m.Leave(inbox)
	if err := m.roomFor(maildir, to); err != nil {
		return noStep, err
	}
	// A message that came at the same time made it in another case, in which the next try will find it.
	if twins, err := m.twins(ctx, maildir.fd, to.Folder); err != nil {
		return noStep, fmt.Errorf("make folder %s: %w", to, err)
	} else if len(twins) == 1 {
		return noStep, fmt.Errorf("make folder %s: %w: %s", to, errFolderTwin, twins[0])
	}
	fd, err := m.inside(maildir, to.Folder, true)
	if err != nil {
		return noStep, err
	}
	dir := step{fd: fd}
	if err = m.markFolder(fd); err == nil {
		err = m.lists.add(ctx, maildir.fd, to.Folder)
	}
	for _, name := range []string{"tmp", "new", "cur"} {
		if err == nil {
			fd, err = m.inside(dir, name, true)
		}
		if err == nil {
			m.Shut(fd)
		}
	}
	if err != nil {
		m.Shut(dir.fd)
		return noStep, err
	}
	return dir, nil
}

// roomFor checks that the Maildir may have one folder more. One that is half made has its room.
func (m *maildirs) roomFor(maildir step, to Dest) error {
	half, err := m.subdirectory(maildir, to.Folder, false)
	if err == nil {
		m.Shut(half.fd)
		return nil
	}
	if !errors.Is(err, unix.ENOENT) || to.MakeFolder == AnyNumber {
		return kernel.Ignore(err, unix.ENOENT)
	}
	entries, folders := 0, 0
	err = m.ReadNames(maildir.fd, func(name string) bool {
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
func (m *maildirs) markFolder(dir int) error {
	fd, err := m.Create(dir, "maildirfolder")
	if err != nil {
		return kernel.Ignore(err, unix.EEXIST)
	}
	return m.lists.fill(fd, nil, 0o600)
}
