package mailbox

import (
	"context"
	"fmt"
)

// Usage tells what a mailbox holds, as maildirsize says, or else by counting. The Folder of of does
// not matter. The error is ErrNoMailbox where there is no Maildir.
func (s *Store) Usage(ctx context.Context, of Dest) (Usage, error) {
	home, err := s.openHome(of)
	if err != nil {
		return Usage{}, err
	}
	defer s.shut(home)
	t, err := s.tally(of, home)
	if err == nil && (!t.usable || of.Quota != Quota{} && t.quota != of.Quota) {
		t.usage, err = s.countOnly(ctx, of, home, nil)
	}
	if err != nil {
		return Usage{}, fmt.Errorf("usage of %s: %w", of, err)
	}
	return t.usage, nil
}

// Recount counts what a mailbox holds, and where it has a quota writes that into its maildirsize.
// told gets the sum so far, now and then; it may be nil.
func (s *Store) Recount(ctx context.Context, of Dest, told func(Usage)) (Usage, error) {
	home, err := s.openHome(of)
	if err != nil {
		return Usage{}, err
	}
	defer s.shut(home)
	var sum Usage
	if of.Quota == (Quota{}) {
		sum, err = s.countOnly(ctx, of, home, told)
	} else {
		m := s.meters.take(of)
		defer s.meters.giveBack(of, m)
		m.moving.Lock()
		defer m.moving.Unlock()
		var saved error
		if sum, saved, err = s.recount(ctx, of, home, told); err == nil {
			err = saved
		}
	}
	if err != nil {
		return sum, fmt.Errorf("count %s: %w", of, err)
	}
	return sum, nil
}

// countOnly counts and writes nothing.
func (s *Store) countOnly(ctx context.Context, of Dest, home int, told func(Usage)) (sum Usage, err error) {
	err = s.as(of.Owner, func() error {
		sum, _, err = s.count(ctx, home, told)
		return err
	})
	return sum, err
}
