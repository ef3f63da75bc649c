package mailbox

import (
	"context"
	"errors"

	"github.com/doorstep-mail/doorstep/mailbox/quota"
)

// account opens the Maildir of a mailbox, whatever folder of it is meant.
func (s *Store) account(of Dest) (quota.Mailbox, error) {
	box := quota.Mailbox{Key: quota.Key(of.inbox()), Owner: of.Owner, Limit: of.Quota, Home: -1, Folder: of.Folder}
	home, err := s.maildirs.openHome(of.Inbox())
	if err == nil {
		box.Home = home
	}
	return box, err
}

// Room reports whether a mailbox has room for a copy of that many octets: nil, or an error that
// is ErrOverQuota. It is for questions before there is a message, and answers nil too where that
// would take long because deliveries are under way; Commit asks again. What does not answer within seconds is an
// ErrHangs: a file system, or a mailbox that takes as long to count, which then goes on.
func (s *Store) Room(ctx context.Context, c Copy, octets int64) error {
	if c.To.Quota == (Quota{}) || c.IgnoreQuota {
		return nil
	}
	return s.room(ctx, c, octets)
}

func (s *Store) room(ctx context.Context, c Copy, octets int64) error {
	to := c.To
	_, err := ask(ctx, s, to, func(ctx context.Context) (struct{}, error) {
		box, err := s.account(to)
		if err != nil && !errors.Is(err, ErrNoMailbox) { // one that is yet to be made has room
			return struct{}{}, err
		}
		defer s.disk.Shut(box.Home)
		box.Beyond = c.Beyond
		return struct{}{}, s.ledger.Room(ctx, box, octets)
	})
	return err
}

// Usage returns what a mailbox holds, as maildirsize says, or else by counting. The Folder of of does
// not matter. The error is ErrNoMailbox where there is no Maildir.
func (s *Store) Usage(ctx context.Context, of Dest) (Usage, error) {
	box, err := s.account(of)
	if err != nil {
		return Usage{}, err
	}
	defer s.disk.Shut(box.Home)
	return s.ledger.Usage(ctx, box)
}

// Recount counts what a mailbox holds, and where it has a quota writes that into its maildirsize.
// progress gets the sum so far, now and then; it may be nil.
func (s *Store) Recount(ctx context.Context, of Dest, progress func(Usage)) (Usage, error) {
	box, err := s.account(of)
	if err != nil {
		return Usage{}, err
	}
	defer s.disk.Shut(box.Home)
	return s.ledger.Recount(ctx, box, progress)
}
