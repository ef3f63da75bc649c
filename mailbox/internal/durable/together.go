package durable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// syncsAtOnce bounds the directories of one PublishAll that are synced at the same time.
const syncsAtOnce = 64

// PublishAll renames one copy after the other, with a slot of each file system in hand, and then syncs their
// directories. Each is visible, and counted, when it has its name: the next may have to wait for a count.
func (c *committer) PublishAll(ctx context.Context, files []*File) (int, error) {
	if i, err := c.showAll(ctx, files); err != nil {
		return i, err
	}
	var workers guard.Group
	var next atomic.Int64
	errs := make([]error, len(files))
	for range min(len(files), syncsAtOnce) {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < len(files); i = int(next.Add(1) - 1) {
				errs[i] = guard.Call(func() error { return c.SyncDirectory(files[i].newDirectory()) })
				if errs[i] != nil {
					errs[i] = fmt.Errorf("sync %s/new: %w", files[i].To, errs[i])
				}
			}
		})
	}
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return i, err
		}
	}
	return 0, nil
}

// showAll makes all copies visible. The slots are acquired in one order, as others wait for them too.
func (c *committer) showAll(ctx context.Context, files []*File) (int, error) {
	var devices []uint64
	for _, f := range files {
		devices = append(devices, f.dir.ID.Device)
	}
	slices.Sort(devices)
	for _, device := range slices.Compact(devices) {
		if err := c.slots.Acquire(ctx, device); err != nil {
			return 0, fmt.Errorf("wait for a file system: %w", err)
		}
		defer c.slots.Release(device)
	}
	for i, f := range files {
		if err := guard.Call(func() error { return c.show(f) }); err != nil {
			return i, err
		}
	}
	return 0, nil
}

// show makes one copy visible. It is that already where an earlier PublishAll failed because of another.
func (c *committer) show(f *File) error {
	if f.at == inNew {
		return nil
	}
	if f.Observer == nil {
		return c.nameInSlot(f)
	}
	visible := errUnfinished // if the step panics
	f.Observer.Publishing()
	defer func() { f.Observer.Visible(visible) }()
	visible = c.nameInSlot(f)
	return visible
}

// nameInSlot renames a copy into new/. One that could not share a file after all gets one of its own first.
func (c *committer) nameInSlot(f *File) error {
	err := f.asOwner((*File).rename)
	if errors.Is(err, errUnshared) {
		f.source = nil
		if err = c.stageInSlot(f); err == nil {
			err = f.asOwner((*File).rename)
		}
	}
	return err
}
