package quota

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// A stamp tells whether mail came or went since: how many directories there are, and the latest
// time that one of them changed.
type stamp struct {
	directories int
	latest      time.Time
}

// count adds up what the Maildir home holds, folder by folder, without opening a file. progress gets
// the sum so far, now and then; it may be nil.
func (l *Ledger) count(ctx context.Context, home int, progress func(Usage)) (Usage, stamp, error) {
	var sum Usage
	before, err := l.walk(ctx, home, func(dir int) error { return l.sum(ctx, dir, &sum, progress) })
	return sum, before, err
}

// sum adds what is in new/ or cur/ of a Maildir or folder to a sum.
func (l *Ledger) sum(ctx context.Context, dir int, sum *Usage, progress func(Usage)) error {
	return l.fs.List(ctx, dir, func(name string) error {
		octets, err := l.messageSize(dir, name)
		if err != nil || octets < 0 {
			return err
		}
		*sum = sum.Plus(Usage{octets, 1})
		if progress != nil && sum.Messages%1000 == 0 {
			progress(*sum)
		}
		return nil
	})
}

// countTrash counts what is in the Trash of a mailbox.
func (l *Ledger) countTrash(ctx context.Context, of Mailbox) (sum Usage, err error) {
	err = l.fs.As(of.Owner, func() error {
		return l.fs.Within(of.Home, trashFolder, func(trash int) error {
			return l.halves(trash, func(dir int) error { return l.sum(ctx, dir, &sum, nil) })
		})
	})
	return sum, err
}

// halves calls visit for new/ and cur/ of a Maildir or folder.
func (l *Ledger) halves(dir int, visit func(dir int) error) error {
	if err := l.fs.Within(dir, "new", visit); err != nil {
		return err
	}
	return l.fs.Within(dir, "cur", visit)
}

// countOnly counts and writes nothing.
func (l *Ledger) countOnly(ctx context.Context, of Mailbox, progress func(Usage)) (sum Usage, err error) {
	err = l.fs.As(of.Owner, func() error {
		sum, _, err = l.count(ctx, of.Home, progress)
		return err
	})
	return sum, err
}

// recount counts, and writes the sum into maildirsize. When mail came or went meanwhile the sum is good enough to go on
// with, but the file would be wrong for long: then it is removed.
//
// saved says why the file could not be written, which concerns only those who asked for just that.
func (l *Ledger) recount(ctx context.Context, of Mailbox, progress func(Usage)) (sum Usage, saved, err error) {
	err = l.fs.As(of.Owner, func() error {
		sum, saved, err = l.recountHere(ctx, of, progress)
		return err
	})
	return sum, saved, err
}

func (l *Ledger) recountHere(ctx context.Context, of Mailbox, progress func(Usage)) (sum Usage, saved, err error) {
	sum, before, err := l.count(ctx, of.Home, progress)
	if err != nil {
		return Usage{}, nil, err
	}
	if err := l.save(of.Home, of.Limit, sum); err != nil {
		return sum, err, nil
	}
	after, err := l.walk(ctx, of.Home, func(int) error { return nil })
	if err != nil || after != before {
		if gone := l.fs.Unlink(of.Home, FileName); gone != nil && gone != unix.ENOENT {
			err = errors.Join(err, fmt.Errorf("remove %s: %w", FileName, gone))
		}
	}
	return sum, nil, err
}

// walk calls visit for new/ and cur/ of the Maildir home and of each of its folders that counts.
// What is not there, or no directory, holds no mail; no symbolic link is followed.
//
// The Maildir is what the account says it is: a file maildirfolder in it, by which Maildir++ tells a
// folder from its parent, could come from any user.
func (l *Ledger) walk(ctx context.Context, home int, visit func(dir int) error) (stamp, error) {
	var seen stamp
	one := func(dir int) error {
		return l.halves(dir, func(dir int) error {
			info, err := l.fs.Stat(dir, "")
			if err != nil {
				return err
			}
			seen.directories++
			if info.Modified.After(seen.latest) {
				seen.latest = info.Modified
			}
			return visit(dir)
		})
	}
	if err := one(home); err != nil {
		return stamp{}, err
	}
	// Reading a directory moves in it, so that this needs a descriptor of its own.
	err := l.fs.Within(home, ".", func(dir int) error {
		return l.fs.List(ctx, dir, func(name string) error {
			if name[0] != '.' || name == trashFolder && !l.opts.CountTrash {
				return nil
			}
			return l.fs.Within(home, name, one)
		})
	})
	return seen, err
}

// messageSize is the size of a message, by its name where that tells: -1 for what is none.
func (l *Ledger) messageSize(dir int, name string) (int64, error) {
	if name[0] == '.' {
		return -1, nil
	}
	if octets, ok := maildir.SizeIn(name); ok {
		return octets, nil
	}
	info, err := l.fs.Stat(dir, name)
	switch {
	case err == unix.ENOENT, err == nil && !info.Regular:
		return -1, nil // a reader was faster
	case err != nil:
		return -1, fmt.Errorf("stat %s: %w", name, err)
	}
	return info.Size, nil
}
