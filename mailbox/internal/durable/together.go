package durable

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// syncsAtOnce bounds the directories of one SyncNames that are synced at the same time.
const syncsAtOnce = 64

// Show makes the copies visible, with a slot of their file system in hand. Each is counted when it has its name: the
// next may have to wait for a count.
func (c *committer) Show(ctx context.Context, files []*File) (int, error) {
	for i := 0; i < len(files); {
		device := files[i].dir.ID.Device
		if err := c.slots.Acquire(ctx, device); err != nil {
			return i, fmt.Errorf("wait for the file system of %s: %w", files[i].To, err)
		}
		n, err := c.showInSlot(files[i:], device)
		c.slots.Release(device)
		if i += n; err != nil {
			return i, err
		}
	}
	return 0, nil
}

// showInSlot makes those of the copies visible that come before the first on another file system than device. It
// returns how many that are.
func (c *committer) showInSlot(files []*File, device uint64) (int, error) {
	for i, f := range files {
		if f.dir.ID.Device != device {
			return i, nil
		}
		if err := guard.Call(func() error { return c.show(f) }); err != nil {
			return i, err
		}
	}
	return len(files), nil
}

// SyncNames syncs the directories of the copies, many at once.
func (c *committer) SyncNames(files []*File) (int, error) {
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

// show makes one copy visible. It is that already where an earlier Show failed because of another.
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
