package mailbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// SweepAge is how old a file in tmp/ must be before it counts as left behind: a writer gives
// up after 24 hours, and Maildir grants it half as much again.
const SweepAge = 36 * time.Hour

// Sweep removes what deliveries that were killed left in the tmp/ of a Maildir and of its folders, or
// of the one folder that dest names: files with names of this package's form that were neither
// written nor read for olderThan, which is at least SweepAge. Both times count, because a mount may
// not keep the time of reading. It returns how many it removed.
func (s *Store) Sweep(ctx context.Context, dest Dest, olderThan time.Duration) (removed int, err error) {
	home, err := s.maildirs.openHome(dest)
	if err == nil {
		defer s.disk.Shut(home)
		before := s.disk.Now().Add(-max(olderThan, SweepAge))
		err = s.disk.As(dest.Owner, func() error {
			return s.eachTmp(ctx, home, dest.Folder == "", func(tmp int) error {
				return s.disk.List(ctx, tmp, func(name string) error {
					gone, err := s.sweepFile(tmp, name, before)
					if gone {
						removed++
					}
					return err
				})
			})
		})
	}
	if err != nil {
		err = fmt.Errorf("sweep %s: %w", dest, err)
	}
	return removed, err
}

// eachTmp calls visit for the tmp/ of a Maildir and of its folders, if those are wanted. Something
// else in the place of the Maildir's own is an error: no mail can be delivered there.
func (s *Store) eachTmp(ctx context.Context, home int, folders bool, visit func(tmp int) error) error {
	tmp, err := s.disk.Open(home, "tmp", kernel.AsDirectory)
	if err == nil {
		err = visit(tmp)
		s.disk.Shut(tmp)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if !folders {
		return nil
	}
	return s.disk.Within(home, ".", func(dir int) error {
		return s.disk.List(ctx, dir, func(name string) error {
			if name[0] != '.' {
				return nil
			}
			return s.disk.Within(home, name, func(folder int) error { return s.disk.Within(folder, "tmp", visit) })
		})
	})
}

// sweepFile removes a file that was left behind, and reports whether it did.
func (s *Store) sweepFile(tmp int, name string, before time.Time) (gone bool, err error) {
	if !maildir.IsOwn(name) || !s.isStale(tmp, name, before) {
		return false, nil
	}
	switch err := s.disk.Unlink(tmp, name); {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENOENT):
		return false, nil
	default:
		return false, fmt.Errorf("remove %s: %w", name, err)
	}
}

// isStale reports whether name is a file that was neither written nor read since before.
func (s *Store) isStale(tmp int, name string, before time.Time) bool {
	is, err := s.disk.Stat(tmp, name)
	return err == nil && is.Regular && is.Modified.Before(before) && is.Read.Before(before)
}
