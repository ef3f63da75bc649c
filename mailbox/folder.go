package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// ErrFolderLimit says that a folder is not made, because the Maildir has enough of them.
var ErrFolderLimit = errors.New("too many folders")

// HasFolder reports whether the folder that to names is there: a directory in the Maildir with a
// cur/ in it, which is what IMAP servers list. A missing Maildir has no folders, and neither a
// symbolic link nor a file is one. The error says that the question could not be answered: the mail root is
// missing (ErrNoRoot), may not be read, or does not answer within seconds (ErrHangs).
func (s *Store) HasFolder(ctx context.Context, to Dest) (bool, error) {
	if err := to.Check(); err != nil {
		return false, err
	}
	if to.Folder == "" {
		return false, fmt.Errorf("look for a folder of %s: none is named", to)
	}
	return ask(ctx, s, to, func(context.Context) (bool, error) { return s.hasFolder(to) })
}

// hasFolder is HasFolder, for as long as it takes.
func (s *Store) hasFolder(to Dest) (bool, error) {
	err := s.disk.As(to.Owner, func() error {
		root, err := s.disk.OpenRoot(to.Root, kernel.ToPass)
		if err != nil {
			return err
		}
		defer s.disk.Shut(root)
		cur, err := s.disk.OpenPath(root, to.below()+"/cur")
		s.disk.Shut(cur)
		return err
	})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNoRoot):
		return false, s.maildirs.couldMakeRoot(to, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return false, nil
	}
	return false, fmt.Errorf("look for %s: %w", to, err)
}

// Reachable reports why no mail could come to a place, as far as that shows without a delivery: the mail root is
// missing (ErrNoRoot), the Maildir is and is not made (ErrNoMailbox), something else is in its place (ErrNotMaildir),
// or the way to it may not be passed by its owner. Whether the folder is there does not matter.
func (s *Store) Reachable(ctx context.Context, to Dest) error {
	to = to.Inbox()
	if err := to.Check(); err != nil {
		return err
	}
	_, err := ask(ctx, s, to, func(context.Context) (struct{}, error) { return struct{}{}, s.maildirs.reachable(to) })
	return err
}

// reachable is Reachable, for as long as it takes.
func (m *maildirs) reachable(to Dest) error {
	md, err := m.find(to)
	switch {
	case err == nil:
		m.Leave(md)
		return nil
	case errors.Is(err, ErrNoRoot):
		return m.couldMakeRoot(to, err)
	case errors.Is(err, unix.ENOENT) && m.create:
		return nil // it is made
	}
	return noMailbox(to, err)
}

// CanMakeFolder reports whether a delivery to the folder, which is not there (HasFolder), would
// make it: to asks for that, nothing else has its name, and the Maildir has room for it or can be
// made itself. The error says that the question could not be answered.
func (s *Store) CanMakeFolder(ctx context.Context, to Dest) (bool, error) {
	if err := to.Check(); err != nil {
		return false, err
	}
	if to.Folder == "" || to.MakeFolder <= 0 {
		return false, nil
	}
	return ask(ctx, s, to, func(context.Context) (bool, error) { return s.canMakeFolder(to) })
}

// canMakeFolder is CanMakeFolder, for as long as it takes.
func (s *Store) canMakeFolder(to Dest) (bool, error) {
	can := false
	err := s.disk.As(to.Owner, func() (err error) {
		can, err = s.maildirs.couldMake(to)
		return err
	})
	switch {
	case err == nil:
		return can, nil
	case errors.Is(err, ErrNoRoot):
		err = s.maildirs.couldMakeRoot(to, err)
		return err == nil, err
	case errors.Is(err, ErrFolderLimit), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP),
		errors.Is(err, unix.EXDEV):
		return false, nil
	}
	return false, fmt.Errorf("look for %s: %w", to, err)
}
