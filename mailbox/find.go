package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/words"
)

// ErrFolderTwins says that a folder is not there, and that several are which differ from it in case only.
var ErrFolderTwins = errors.New("several folders differ in case only")

// errFolderTwin says that a folder is not made because of one that differs from it in case only and was made meanwhile.
var errFolderTwin = errors.New("made meanwhile in another case")

// FindFolder finds the folder that to names: the one that is there by that very name, or else the only one that
// differs from it in case, or in the normalization form of Unicode. It returns to with the folder's directory, and
// whether there is one; else to as it is. The error is ErrFolderTwins, or one of HasFolder.
func (s *Store) FindFolder(ctx context.Context, to Dest) (found Dest, there bool, err error) {
	there, err = s.HasFolder(ctx, to)
	if there || err != nil {
		return to, there, err
	}
	twins, err := ask(ctx, s, to, func(ctx context.Context) ([]string, error) { return s.twinsOf(ctx, to) })
	switch {
	case err != nil || len(twins) == 0:
		return to, false, err
	case len(twins) > 1:
		return to, false, fmt.Errorf("%w: %q", ErrFolderTwins, twins)
	}
	to.Folder = twins[0]
	return to, true, nil
}

// twinsOf returns the directories of the folders that differ from that of to in case only. A mailbox that is not there
// has none.
func (s *Store) twinsOf(ctx context.Context, to Dest) (twins []string, err error) {
	home, err := s.maildirs.openHome(to.Inbox())
	if errors.Is(err, ErrNoMailbox) || errors.Is(err, ErrNoRoot) || errors.Is(err, ErrNotMaildir) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer s.disk.Shut(home)
	err = s.disk.As(to.Owner, func() error {
		twins, err = s.maildirs.twins(ctx, home, to.Folder)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for a folder of %s: %w", to.Inbox(), err)
	}
	return twins, nil
}

// twins returns the folders of the Maildir home, which is open and not read yet, that differ from one in case only.
func (m *maildirs) twins(ctx context.Context, home int, folder string) (twins []string, err error) {
	name, ok := m.encoding.Read(folder)
	if !ok {
		return nil, nil
	}
	name = words.Fold(name)
	var alike []string
	entries := 0
	err = m.Within(home, ".", func(dir int) error { // reading moves in it
		return m.List(ctx, dir, func(entry string) error {
			if entries++; entries > maxEntries {
				return unix.EOVERFLOW
			}
			if other, ok := m.encoding.Read(entry); ok && entry != folder && words.Fold(other) == name {
				alike = append(alike, entry)
			}
			return nil
		})
	})
	if errors.Is(err, unix.EOVERFLOW) {
		return nil, nil // too large to be listed
	}
	for _, entry := range alike {
		cur, err := m.OpenPath(home, entry+"/cur")
		if err != nil {
			continue // no folder, or none of ours
		}
		m.Shut(cur)
		twins = append(twins, entry)
	}
	return twins, kernel.Ignore(err, unix.ENOENT)
}
