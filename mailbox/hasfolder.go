package mailbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// HasFolder reports whether the folder that to names is there: a directory in the Maildir with a
// cur/ in it, which is what IMAP servers list. A missing Maildir has no folders, and neither a
// symbolic link nor a file is one. The error says that it could not be told: the mail root is
// missing (ErrNoRoot), or may not be read.
func (s *Store) HasFolder(to Dest) (bool, error) {
	if err := to.Check(); err != nil {
		return false, err
	}
	if to.Folder == "" {
		return false, fmt.Errorf("look for a folder of %s: none is named", to)
	}
	err := s.as(to.Owner, func() error {
		root, err := s.openRoot(to.Root, toPass)
		if err != nil {
			return err
		}
		defer s.shut(root)
		cur, err := s.openBeneath(root, to.below()+"/cur")
		s.shut(cur)
		return err
	})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrNoRoot):
		return false, err
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		return false, nil
	}
	return false, fmt.Errorf("look for %s: %w", to, err)
}
