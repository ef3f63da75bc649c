package mailbox

import (
	"context"

	"golang.org/x/sys/unix"
)

// twoBeats is a committer that was tried and is not used: all copies in flight share one syncfs
// before their renames and one behind them. BenchmarkDeliver has it beside what is, so that
// whoever doubts can measure on a disk of their own; docs/performance.md says why it is not.
type twoBeats struct {
	gate  *turnstile[uint64]
	beats *rounds
}

// syncsAll is the kernel with the whole file system synced for each sync of a part.
type syncsAll struct{ kernel }

func (syncsAll) fsync(fd int) error { return unix.Syncfs(fd) }

func newTwoBeats() *twoBeats {
	gate := newTurnstile[uint64](defaultParallel)
	return &twoBeats{gate, newRounds(syncsAll{}, gate, nil)}
}

func (t *twoBeats) seal(ctx context.Context, f *mailfile) error {
	if err := t.gate.enter(ctx, f.dir.id.dev); err != nil {
		return err
	}
	err := f.write()
	if err == nil {
		err = f.close()
	}
	t.gate.leave(f.dir.id.dev)
	if err != nil {
		return err
	}
	return t.syncDir(f.newDirectory())
}

func (t *twoBeats) publish(ctx context.Context, f *mailfile) error {
	if err := publishUnsynced(ctx, t.gate, f); err != nil {
		return err
	}
	return t.syncDir(f.newDirectory())
}

// syncDir joins the next beat of the file system.
func (t *twoBeats) syncDir(dir directory) error {
	dir.id = fileID{dev: dir.id.dev}
	return t.beats.sync(dir)
}
