package mailbox

import (
	"context"
	"fmt"
	"time"
)

// each is the committer behind Each: its gate lets one in at a time, so the syncs of a file
// system follow one another and each belongs to one copy.
type each struct {
	sys  system
	gate *turnstile[uint64]
	told func(time.Duration, int, error)
}

func (e *each) seal(ctx context.Context, f *mailfile) error { return sealSynced(ctx, e.gate, f) }

func (e *each) publish(ctx context.Context, f *mailfile) error {
	if err := publishUnsynced(ctx, e.gate, f); err != nil {
		return err
	}
	if err := e.syncDir(f.newDirectory()); err != nil {
		return fmt.Errorf("sync %s/new: %w", f.to, err)
	}
	return nil
}

func (e *each) syncDir(dir directory) error {
	e.gate.wait(dir.id.dev)
	defer e.gate.leave(dir.id.dev)
	return syncDirectoryFor(e.sys, dir, 1, e.told)
}
