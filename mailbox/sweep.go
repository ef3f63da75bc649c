package mailbox

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// SweepAge is how old a file in tmp/ must be before it counts as left behind: a writer gives
// up after 24 hours, and Maildir grants it half as much again.
const SweepAge = 36 * time.Hour

// ownName is the form of the names a namer makes, whichever host made them.
var ownName = regexp.MustCompile(`^[0-9]+\.M[0-9]+P[0-9]+Q[0-9]+R[0-9a-f]{16}\.`)

// Sweep removes what deliveries that were killed left in the tmp/ of a Maildir and of its folders, or
// of the one folder that dest names: files with names of this package's form that were neither
// written nor read for olderThan, which is at least SweepAge. Both times count, because a mount may
// not keep the time of reading. It returns how many it removed.
func (s *Store) Sweep(ctx context.Context, dest Dest, olderThan time.Duration) (removed int, err error) {
	if err := dest.Check(); err != nil {
		return 0, err
	}
	before := s.sys.now().Add(-max(olderThan, SweepAge))
	err = s.as(dest.Owner, func() error {
		root, err := s.openRoot(dest.Root, toPass)
		if err != nil {
			return err
		}
		defer s.shut(root)
		home, err := s.openBeneath(root, dest.below())
		if err != nil {
			return noMailbox(dest, err)
		}
		defer s.shut(home)
		return s.eachTmp(ctx, home, dest.Folder == "", func(tmp int) error {
			return s.list(ctx, tmp, func(name string) error {
				gone, err := s.sweepFile(tmp, name, before)
				if gone {
					removed++
				}
				return err
			})
		})
	})
	if err != nil {
		err = fmt.Errorf("sweep %s: %w", dest, err)
	}
	return removed, err
}

// eachTmp calls visit for the tmp/ of a Maildir and of its folders, if those are wanted. Something
// else in the place of the Maildir's own is an error: no mail can be delivered there.
func (s *Store) eachTmp(ctx context.Context, home int, folders bool, visit func(tmp int) error) error {
	tmp, err := s.openComponent(home, "tmp", asDirectory)
	if err == nil {
		err = visit(tmp)
		s.shut(tmp)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	if !folders {
		return nil
	}
	return s.within(home, ".", func(dir int) error {
		return s.list(ctx, dir, func(name string) error {
			if name[0] != '.' {
				return nil
			}
			return s.within(home, name, func(folder int) error { return s.within(folder, "tmp", visit) })
		})
	})
}

// sweepFile removes a file that was left behind, and reports whether it did.
func (s *Store) sweepFile(tmp int, name string, before time.Time) (gone bool, err error) {
	if !ownName.MatchString(name) || !leftBehind(tmp, name, before) {
		return false, nil
	}
	switch err := s.sys.unlink(tmp, name); err {
	case nil:
		return true, nil
	case unix.ENOENT:
		return false, nil
	default:
		return false, fmt.Errorf("remove %s: %w", name, err)
	}
}

// leftBehind reports whether name is a file that nobody touched since before.
func leftBehind(tmp int, name string, before time.Time) bool {
	var st unix.Stat_t
	if err := unix.Fstatat(tmp, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false
	}
	return st.Mode&unix.S_IFMT == unix.S_IFREG &&
		time.Unix(st.Mtim.Unix()).Before(before) &&
		time.Unix(st.Atim.Unix()).Before(before)
}
