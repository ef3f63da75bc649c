package mailbox

import (
	"context"
	"fmt"
)

// group is the committer behind Group: many copies in flight, so that the file system's
// journal merges their commits, and the syncs of a directory shared by all who wait for it.
// There is no timer: a copy alone pays for one file sync and one directory sync.
type group struct {
	gate   *turnstile[uint64]
	rounds *rounds
}

func (g *group) seal(ctx context.Context, f *mailfile) error { return sealSynced(ctx, g.gate, f) }

func (g *group) publish(ctx context.Context, f *mailfile) error {
	if err := publishUnsynced(ctx, g.gate, f); err != nil {
		return err
	}
	if err := g.syncDir(f.newDirectory()); err != nil {
		return fmt.Errorf("sync %s/new: %w", f.to, err)
	}
	return nil
}

func (g *group) syncDir(dir directory) error { return g.rounds.sync(dir) }
