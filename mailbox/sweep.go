package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// SweepAge is how old a file in tmp/ must be before it counts as left behind: a writer gives
// up after 24 hours, and Maildir grants it half as much again.
const SweepAge = 36 * time.Hour

// sweepBatch is how many names are read at once.
const sweepBatch = 256

// ownName is the form of the names a namer makes, whichever host made them.
var ownName = regexp.MustCompile(`^[0-9]+\.M[0-9]+P[0-9]+Q[0-9]+R[0-9a-f]{16}\.`)

// Sweep removes from the tmp/ of a Maildir what deliveries that were killed left there: files
// with names of this package's form that were neither written nor read for olderThan, which
// is at least SweepAge. Both times count, because a mount may not keep the time of reading.
// It returns how many it removed.
func (s *Store) Sweep(ctx context.Context, dest Dest, olderThan time.Duration) (removed int, err error) {
	if err := dest.Check(); err != nil {
		return 0, err
	}
	err = s.as(dest.Owner, func() error {
		removed, err = s.sweep(ctx, dest, olderThan)
		return err
	})
	return removed, err
}

func (s *Store) sweep(ctx context.Context, dest Dest, olderThan time.Duration) (removed int, err error) {
	root, err := s.openRoot(dest.Root, toPass)
	if err != nil {
		return 0, err
	}
	defer s.shut(root)
	fd, err := s.openBeneath(root, dest.below()+"/tmp")
	if err != nil {
		return 0, noMailbox(dest, err)
	}
	tmp := os.NewFile(uintptr(fd), dest.String()+"/tmp")
	defer func() { _ = tmp.Close() }() // it was only read
	before := s.sys.now().Add(-max(olderThan, SweepAge))
	for {
		names, err := tmp.Readdirnames(sweepBatch)
		for _, name := range names {
			if err := ctx.Err(); err != nil {
				return removed, fmt.Errorf("sweep %s/tmp: %w", dest, err)
			}
			if !ownName.MatchString(name) || !leftBehind(fd, name, before) {
				continue
			}
			if err := s.sys.unlink(fd, name); err == nil {
				removed++
			} else if err != unix.ENOENT {
				return removed, fmt.Errorf("sweep %s/tmp/%s: %w", dest, name, err)
			}
		}
		if errors.Is(err, io.EOF) {
			return removed, nil
		}
		if err != nil {
			return removed, fmt.Errorf("sweep %s/tmp: %w", dest, err)
		}
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
