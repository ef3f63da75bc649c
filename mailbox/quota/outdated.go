package quota

import (
	"context"
	"time"
)

const (
	// lookAgain is how long a full mailbox is not looked at again, so that mail which is refused costs little.
	lookAgain = 2 * time.Second
	// replaceTakes is how much later than maildirsize itself the Maildir may have changed, because the file came into it.
	replaceTakes = time.Second
	// maxLooked bounds the mailboxes whose last look is remembered.
	maxLooked = 1 << 10
)

// outdated reports whether messages or folders came or went since a count, without a line in maildirsize: readers that
// do not keep the file make room too.
func (l *Ledger) outdated(ctx context.Context, of Mailbox, counted time.Time) bool {
	if !l.mayLook(of.Key, counted) {
		return false
	}
	changed := false
	err := l.fs.As(of.Owner, func() error {
		home, err := l.fs.Stat(of.Home, "")
		if err != nil {
			return err
		}
		seen, err := l.walk(ctx, of.Home, func(int) error { return nil })
		changed = !seen.latest.Before(counted) || home.Modified.After(counted.Add(replaceTakes))
		return err
	})
	return changed || err != nil // a count will say what is wrong
}

// mayLook reports whether the last look at a mailbox, or its last count, is long enough ago, and notes this one.
func (l *Ledger) mayLook(at Key, counted time.Time) bool {
	now := l.fs.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	recent := func(last time.Time) bool { return now.Sub(last).Abs() < lookAgain }
	if recent(counted) || recent(l.looked[at]) {
		return false
	}
	if len(l.looked) >= maxLooked {
		for k, last := range l.looked {
			if !recent(last) {
				delete(l.looked, k)
			}
		}
	}
	if len(l.looked) < maxLooked {
		l.looked[at] = now
	}
	return true
}
