package durable

import (
	"context"
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
)

// A Committer takes a copy from memory to durable in two steps, each blocking until it is
// true, so that copies that stand or fall together can all take the first before any takes
// the second. After an error the caller withdraws the copy: a committer tries nothing twice.
//
// Two events end the way of a copy. It is durable when a power cut would not take it: then Publish returns nil and its
// recipient may be answered. It is visible when it has its name in new/ for good: then its Observer is called, who
// counts it. The committers of this package report both at once. One that keeps a journal may return from Publish
// when the copy is in there, and call the Observer when it has published it.
//
// The steps of different copies run at the same time; a committer bounds and orders them. A slow
// file system never holds up another.
type Committer interface {
	// Stage writes the copy into tmp/. After nil its content is durable, as far as the mode asks for it, and
	// no reader sees it.
	Stage(ctx context.Context, f *File) error
	// Publish renames a staged copy in new/. After nil the copy is durable.
	Publish(ctx context.Context, f *File) error
	// Show renames staged copies of one file system, which stand or fall together with others, in new/: so that
	// one that cannot have its name is known before a directory is synced. An error is that of the copy with the number.
	Show(ctx context.Context, files []*File) (int, error)
	// SyncNames makes copies durable that were shown. An error is that of the copy with the number.
	SyncNames(files []*File) (int, error)
	// SyncDirectory makes the names in a directory durable.
	SyncDirectory(dir Directory) error
}

// An Observer has to know when a copy becomes visible. Between the two calls a count of the mailbox may see the copy
// or not.
type Observer interface {
	// Publishing is called before the copy gets its name.
	Publishing()
	// Visible is called once after each Publishing: with nil when the copy has its name for good, else with why it
	// has none.
	Visible(err error)
}

// errUnfinished is what an Observer hears of a copy that panicked.
var errUnfinished = errors.New("copy was not published")

// Slots bound the work on each file system, by its device number: every sync in flight holds a thread of the operating
// system.
type Slots = semaphore.Keyed[uint64]

// A committer is the Committer of the modes.
type committer struct {
	disk   *Disk
	mode   Mode
	slots  *Slots
	rounds *rounds
}

// New returns the Committer of a mode, and the slots of its file systems: as many as parallel says, where the mode
// lets more than one step happen at a time.
func New(disk *Disk, mode Mode, parallel int) (Committer, *Slots, error) {
	if !mode.known() {
		return nil, nil, fmt.Errorf("durability %v is unknown", mode)
	}
	if modes[mode].alone {
		parallel = 1
	}
	slots := semaphore.New[uint64](parallel)
	return &committer{disk, mode, slots, newRounds(disk, slots)}, slots, nil
}

// Stage writes the copy or, where it can share a file with others, waits for who writes that.
func (c *committer) Stage(ctx context.Context, f *File) error {
	if f.Shares != nil {
		return c.stageShared(ctx, f)
	}
	return c.stage(ctx, f)
}

// stage writes, syncs and closes the copy's own file, in one slot.
func (c *committer) stage(ctx context.Context, f *File) error {
	if err := c.slots.Acquire(ctx, f.dir.ID.Device); err != nil {
		return fmt.Errorf("wait for the file system of %s: %w", f.To, err)
	}
	defer c.slots.Release(f.dir.ID.Device)
	return c.stageInSlot(f)
}

func (c *committer) stageInSlot(f *File) error {
	if err := f.write(); err != nil {
		return err
	}
	if modes[c.mode].syncs {
		if err := f.sync(); err != nil {
			return err
		}
	}
	return f.close()
}

// Publish publishes the copy, and is done when it is durable and visible. A copy that could not share a file after all
// gets one of its own first.
func (c *committer) Publish(ctx context.Context, f *File) error {
	visible := errUnfinished // if a step panics
	if f.Observer != nil {
		f.Observer.Publishing()
		defer func() { f.Observer.Visible(visible) }()
	}
	err := c.rename(ctx, f)
	if errors.Is(err, errUnshared) {
		f.source = nil
		if err = c.stage(ctx, f); err == nil {
			err = c.rename(ctx, f)
		}
	}
	if err == nil {
		if err = c.SyncDirectory(f.newDirectory()); err != nil {
			err = fmt.Errorf("sync %s/new: %w", f.To, err)
		}
	}
	visible = err
	return err
}

// rename publishes the copy in one slot, and syncs nothing.
func (c *committer) rename(ctx context.Context, f *File) error {
	if err := c.slots.Acquire(ctx, f.dir.ID.Device); err != nil {
		return fmt.Errorf("wait for the file system of %s: %w", f.To, err)
	}
	defer c.slots.Release(f.dir.ID.Device)
	if f.Owner == (kernel.Owner{}) {
		return f.rename()
	}
	return c.disk.As(f.Owner, f.rename)
}

func (c *committer) SyncDirectory(dir Directory) error {
	switch {
	case !modes[c.mode].syncs:
		return nil
	case modes[c.mode].shares:
		return c.rounds.sync(dir)
	}
	_ = c.slots.Acquire(context.Background(), dir.ID.Device)
	defer c.slots.Release(dir.ID.Device)
	return c.disk.syncDirectory(dir, 1)
}
