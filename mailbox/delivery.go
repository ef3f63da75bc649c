package mailbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
	"github.com/doorstep-mail/doorstep/mailbox/quota"
)

// A delivery is one copy of a message on its way: its file, and the room that it takes in a quota. Whatever happens,
// withdraw leaves neither.
type delivery struct {
	durable.File
	msg         *Message
	to          Dest
	ignoreQuota bool
	room        *quota.Reservation // nil without a quota, and before the copy has room
	err         error              // why the copy failed before the commit
}

func (d *delivery) store() *Store { return d.msg.content.store }

// deliverWhenFree waits for one of the mailbox's delivery slots, then delivers. A mailbox takes so many deliveries at
// once (Options.PerMailbox), and the others queue: without a slot of the file system and without one of the message's
// workers, so that a mailbox that gets a flood, or hangs, holds up no mail of others. waiting, if not nil, also bounds
// how many copies of this message that had to wait are delivered at once.
func (d *delivery) deliverWhenFree(ctx context.Context, waiting *semaphore.Keyed[struct{}]) error {
	if d.err != nil || d.msg.dropped[d] != nil {
		return d.outcome(d.deliver(ctx)) // which it is not
	}
	busy := d.store().busy
	if err := busy.Acquire(ctx, d.to.inbox()); err != nil {
		return d.withdraw(fmt.Errorf("wait for other deliveries to %s: %w", d.to.Inbox(), err))
	}
	defer busy.Release(d.to.inbox())
	if waiting != nil {
		if err := waiting.Acquire(ctx, struct{}{}); err != nil {
			return d.withdraw(fmt.Errorf("wait for other copies of the message to %s: %w", d.to.Inbox(), err))
		}
		defer waiting.Release(struct{}{})
	}
	return d.outcome(d.deliver(ctx))
}

// deliver takes the copy all the way. A panic is an error here.
func (d *delivery) deliver(ctx context.Context) (err error) {
	defer guard.Recover(&err)
	if d.err != nil {
		return d.err
	}
	if why := d.msg.dropped[d]; why != nil {
		return why // only now: another copy may be made from this one's file
	}
	if err := d.stage(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deliver to %s: %w", d.to, err)
	}
	if err := d.store().committer.Publish(ctx, &d.File); err != nil {
		return err
	}
	d.leave()
	return nil
}

// outcome returns that of deliver. After an error nothing of the copy stays.
func (d *delivery) outcome(err error) error {
	if err != nil {
		return d.withdraw(err)
	}
	return nil
}

// open opens the Maildir, unless that was done.
func (d *delivery) open(ctx context.Context) error {
	if d.IsOpen() {
		return nil
	}
	md, err := d.store().open(ctx, d.to)
	if err == nil {
		d.Open(md)
	}
	return err
}

// stage takes the copy to where its content is durable and invisible.
func (d *delivery) stage(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deliver to %s: %w", d.to, err)
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	if err := d.reserve(ctx); err != nil {
		return err
	}
	return d.store().committer.Stage(ctx, &d.File)
}

// reserve gets room for the copy, if its mailbox has a quota. The copy is counted when it becomes visible.
func (d *delivery) reserve(ctx context.Context) error {
	s := d.store()
	if d.room != nil || d.to.Quota == (Quota{}) {
		return nil
	}
	box, err := s.account(d.to)
	if err != nil {
		return err
	}
	d.room = s.ledger.Reservation(box, d.Sizes().Disk) // leave ends it, whatever happens
	d.Observer = d.room
	return d.room.Reserve(ctx, d.ignoreQuota)
}

// withdraw takes back whatever there is of the copy because of err, which it returns,
// joined by what went wrong on the way. It does not panic.
func (d *delivery) withdraw(err error) error {
	if wrong := guard.Call(d.takeBack); wrong != nil {
		return errors.Join(err, wrong)
	}
	return err
}

// takeBack is withdraw without regard to why. Its order is that after a panic none of it is missing
// but the step that panicked.
func (d *delivery) takeBack() error {
	defer d.leave()
	defer d.room.Withdraw()
	return d.Remove()
}

// leave ends the use of the mailbox.
func (d *delivery) leave() {
	d.room.Close()
	d.Leave()
}
