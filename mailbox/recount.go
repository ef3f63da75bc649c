package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// messageBound is the largest size that the name of a file is believed to have.
const messageBound = 1 << 50

// A stamp tells whether mail came or went since: how many directories there are, and the latest
// time that one of them changed.
type stamp struct {
	directories int
	latest      time.Time
}

// count adds up what the Maildir home holds, folder by folder, without opening a file. told gets
// the sum so far, now and then; it may be nil.
func (s *Store) count(ctx context.Context, home int, told func(Usage)) (Usage, stamp, error) {
	var sum Usage
	before, err := s.walkMail(ctx, home, func(dir int) error {
		return s.list(ctx, dir, func(name string) error {
			octets, err := s.messageSize(dir, name)
			if err != nil || octets < 0 {
				return err
			}
			sum = sum.plus(Usage{octets, 1})
			if told != nil && sum.Messages%1000 == 0 {
				told(sum)
			}
			return nil
		})
	})
	return sum, before, err
}

// recount counts, and writes what it found where everybody finds it. When mail came or went
// meanwhile the sum is good enough to go on with, but the file would be wrong for long: then it is
// removed.
//
// saved says why the file could not be written, which concerns nobody but who asked for just that.
func (s *Store) recount(ctx context.Context, of Dest, home int, told func(Usage)) (sum Usage, saved, err error) {
	err = s.as(of.Owner, func() error {
		sum, saved, err = s.recountHere(ctx, home, of.Quota, told)
		return err
	})
	return sum, saved, err
}

func (s *Store) recountHere(ctx context.Context, home int, q Quota, told func(Usage)) (sum Usage, saved, err error) {
	sum, before, err := s.count(ctx, home, told)
	if err != nil {
		return Usage{}, nil, err
	}
	if err := s.saveTally(home, q, sum); err != nil {
		return sum, err, nil
	}
	after, err := s.walkMail(ctx, home, func(int) error { return nil })
	if err != nil || after != before {
		if gone := s.sys.unlink(home, maildirsize); gone != nil && gone != unix.ENOENT {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", maildirsize, gone))
		}
	}
	return sum, nil, err
}

// walkMail calls visit for new/ and cur/ of the Maildir home and of each of its folders that counts.
// What is not there, or no directory, holds no mail; no symbolic link is followed.
//
// The Maildir is what the account says it is: a file maildirfolder in it, by which Maildir++ tells a
// folder from its parent, could be anybody's.
func (s *Store) walkMail(ctx context.Context, home int, visit func(dir int) error) (stamp, error) {
	var seen stamp
	one := func(maildir int) error {
		for _, name := range []string{"new", "cur"} {
			if err := s.within(maildir, name, func(dir int) error {
				info, err := s.sys.stat(dir, "")
				if err != nil {
					return err
				}
				seen.directories++
				if info.changed.After(seen.latest) {
					seen.latest = info.changed
				}
				return visit(dir)
			}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := one(home); err != nil {
		return stamp{}, err
	}
	// Reading a directory moves in it, so that this needs a descriptor of its own.
	err := s.within(home, ".", func(dir int) error {
		return s.list(ctx, dir, func(name string) error {
			if name[0] != '.' || name == trashFolder && !s.opts.CountTrash {
				return nil
			}
			return s.within(home, name, one)
		})
	})
	return seen, err
}

// within calls do with the directory name in dir, if it is one.
func (s *Store) within(dir int, name string, do func(fd int) error) error {
	fd, err := s.openComponent(dir, name, asDirectory)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil
	case err != nil:
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer s.shut(fd)
	return do(fd)
}

// list calls each with every name in a directory, "." and ".." left out.
func (s *Store) list(ctx context.Context, dir int, each func(name string) error) error {
	var broken error
	err := s.sys.readNames(dir, func(name string) bool {
		if broken = ctx.Err(); broken == nil {
			broken = each(name)
		}
		return broken == nil
	})
	if err != nil {
		return fmt.Errorf("read a directory: %w", err)
	}
	return broken
}

// messageSize is the size of a message, by its name where that tells: -1 for what is none.
func (s *Store) messageSize(dir int, name string) (int64, error) {
	if name[0] == '.' {
		return -1, nil
	}
	if octets, ok := sizeInName(name); ok {
		return octets, nil
	}
	info, err := s.sys.stat(dir, name)
	switch {
	case err == unix.ENOENT, err == nil && !info.regular:
		return -1, nil // a reader was faster
	case err != nil:
		return -1, fmt.Errorf("stat %s: %w", name, err)
	}
	return info.size, nil
}

// sizeInName is what ",S=" says in the name of a message.
func sizeInName(name string) (int64, bool) {
	_, rest, ok := strings.Cut(name, ",S=")
	if !ok {
		return 0, false
	}
	if end := strings.IndexAny(rest, ",:"); end >= 0 {
		rest = rest[:end]
	}
	n, err := strconv.ParseUint(rest, 10, 63)
	return int64(n), err == nil && n <= messageBound
}
