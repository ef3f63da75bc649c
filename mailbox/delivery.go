package mailbox

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/mount"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
	"github.com/doorstep-mail/doorstep/mailbox/quota"
)

// A delivery is one copy of a message on its way: its file, and the room that it takes in a quota. Whatever happens,
// withdraw leaves neither.
type delivery struct {
	durable.File
	msg         *Message
	number      int // of the copy
	to          Dest
	ignoreQuota bool
	beyond      Quota
	room        *quota.Reservation // nil without a quota, and before the copy has room
	err         error              // why the copy failed before the commit
	stranded    bool               // it hangs: its file belongs to the goroutine that hangs with it

	place   breaker.Operation // on its file system, while it is delivered
	settled sync.Once         // its outcome
	raised  error             // the panic of done
	instead func()            // begins another worker, should this one hang
	in      []*bundle         // that it is a member of
	membership
}

func (d *delivery) store() *Store { return d.msg.content.store }

// fileSystem is that of its mailbox.
func (d *delivery) fileSystem() *mount.FileSystem {
	return d.store().fileSystems.Of(d.to.Root, d.to.Path)
}

// settle reports the outcome of the copy, once.
func (d *delivery) settle(err error) { d.settleAnd(err, nil) }

// settleAnd is settle, and does something else besides if it was the first.
func (d *delivery) settleAnd(err error, besides func()) {
	d.settled.Do(func() {
		d.raised = guard.Call(func() error {
			d.msg.observe(err)
			d.msg.done(d.number, err)
			return nil
		})
		if besides != nil {
			besides()
		}
	})
}

// Abandon answers in the place of a copy that hangs.
func (d *delivery) Abandon(err error) {
	answer := fmt.Errorf("deliver to %s: %w", d.to, err)
	if d.in == nil {
		d.settleAnd(answer, d.instead)
		return
	}
	d.settle(answer) // or it was answered for with others
	for _, b := range d.in {
		b.giveUp(err)
	}
	if d.instead != nil {
		d.instead()
	}
}

// whenFree waits for one of the mailbox's delivery slots, then takes a step. A mailbox takes Options.PerMailbox
// deliveries at once, and the others queue: without a slot of the file system and without one of the message's workers,
// so that a mailbox that gets a flood, or hangs, holds up no mail of others. waiting, if not nil, also bounds how many
// copies of this message that had to wait are delivered at once.
func (d *delivery) whenFree(
	ctx context.Context, waiting *semaphore.Keyed[struct{}], step func(context.Context) error,
) error {
	busy := d.store().busy
	if !busy.TryAcquire(d.to.inbox()) {
		if err := d.wait(ctx, func(ctx context.Context) error { return busy.Acquire(ctx, d.to.inbox()) }); err != nil {
			return d.drop(fmt.Errorf("wait for other deliveries to %s: %w", d.to.Inbox(), err))
		}
	}
	defer busy.Release(d.to.inbox())
	if waiting != nil {
		err := d.wait(ctx, func(ctx context.Context) error { return waiting.Acquire(ctx, struct{}{}) })
		if err != nil {
			return d.drop(fmt.Errorf("wait for other copies of the message to %s: %w", d.to.Inbox(), err))
		}
		release := sync.OnceFunc(func() { waiting.Release(struct{}{}) })
		defer release()
		d.instead = release
	}
	return d.inPlace(ctx, step)
}

// wait waits for a turn, as long as ctx lasts and the file system answers.
func (d *delivery) wait(ctx context.Context, acquire func(context.Context) error) error {
	ctx, stop := d.fileSystem().While(ctx)
	defer stop()
	return acquire(ctx)
}

// inPlace takes a step in a place of the file system: whatever hangs there, no more hang than there are places.
// After an error nothing of the copy stays.
func (d *delivery) inPlace(ctx context.Context, step func(context.Context) error) (err error) {
	if err := d.fileSystem().Copies.Begin(ctx, &d.place, d); err != nil {
		return d.drop(fmt.Errorf("deliver to %s: %w", d.to, err))
	}
	defer func() {
		if err != nil {
			err = d.withdraw(err)
		}
		if awaited := d.place.End(); !awaited && err == nil && d.in != nil {
			err = d.drop(d.hangs()) // it is not published yet
		}
	}()
	defer guard.Recover(&err)
	return step(ctx)
}

// deliver takes the copy all the way.
func (d *delivery) deliver(ctx context.Context) error {
	if err := d.stage(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deliver to %s: %w", d.to, err)
	}
	if d.place.Abandoned() {
		return d.hangs() // so that the client will try again
	}
	if err := d.store().committer.Publish(ctx, &d.File); err != nil {
		return err
	}
	d.leave()
	return nil
}

// hangs is the error of a copy that was answered for.
func (d *delivery) hangs() error { return fmt.Errorf("deliver to %s: %w", d.to, ErrHangs) }

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

// makesFolder reports whether the copy goes to a folder that is not there.
func (d *delivery) makesFolder() bool {
	if d.to.MakeFolder <= 0 {
		return false
	}
	there, err := d.store().HasFolder(d.store().life, d.to)
	return err != nil || !there
}

// openMaildir opens where the copy goes or, where that is a folder that may have to be made, has only the Maildir made.
func (d *delivery) openMaildir(ctx context.Context) error {
	if d.IsOpen() || d.to.MakeFolder <= 0 {
		return d.open(ctx)
	}
	md, err := d.store().open(ctx, d.to.Inbox())
	if err != nil {
		return err
	}
	d.store().disk.Leave(md)
	return nil
}

// stage takes the copy to where its content is durable and invisible.
func (d *delivery) stage(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deliver to %s: %w", d.to, err)
	}
	if err := d.reserve(ctx); err != nil {
		return err
	}
	if err := d.open(ctx); err != nil { // last: it may make a folder
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
	if err := d.openMaildir(ctx); err != nil {
		return err
	}
	box, err := s.account(d.to)
	if err != nil {
		return err
	}
	box.Beyond = d.beyond
	d.room = s.ledger.Reservation(box, d.Sizes().Disk) // leave ends it, whatever happens
	d.Observer = d.room
	return d.room.Reserve(ctx, d.ignoreQuota)
}

// drop is withdraw for a copy without a place on its file system. It waits no longer than that answers, and what cannot
// be taken back now is taken back when it does.
func (d *delivery) drop(err error) error {
	if d.stranded || !d.IsOpen() && d.room == nil {
		return err // there is nothing
	}
	if wrong := d.alone(d.giveBack, nil); wrong != nil {
		return errors.Join(err, wrong)
	}
	return err
}

// alone has a step with the file taken in a place of the file system, in a goroutine of its own. When that hangs the
// copy is stranded: what there is of it is taken back when the step has returned, after late.
func (d *delivery) alone(step func() error, late func()) error {
	err := guard.Call(func() error {
		_, err := alone(d.fileSystem(), func() (int, error) { return 0, step() }, func() {
			if late != nil {
				late()
			}
			_ = guard.Call(d.giveBack)
		})
		return err
	})
	d.stranded = d.stranded || errors.Is(err, ErrHangs)
	return err
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

// giveBack is takeBack when no other copy is made from this one's file.
func (d *delivery) giveBack() error {
	defer d.Return()
	return d.takeBack()
}

// leave ends the use of the mailbox.
func (d *delivery) leave() {
	d.room.Close()
	d.Leave()
}
