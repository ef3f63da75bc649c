package durable

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// twoBeats is a Committer that was tried and is not used: all copies in flight share one syncfs
// before their renames and one after them. BenchmarkCommit compares it with what is used, on any
// disk; docs/performance.md says why it is not.
type twoBeats struct {
	committer
	beats *rounds
}

// syncsAll is the kernel with the whole file system synced for each sync of a part.
type syncsAll struct{ kernel.Linux }

func (syncsAll) Fsync(fd int) error { return unix.Syncfs(fd) }

func newTwoBeats(disk *Disk, slots *Slots) *twoBeats {
	beats := newRounds(&Disk{FS: kernel.FS{System: syncsAll{}}}, slots)
	return &twoBeats{committer{disk, None, slots, nil}, beats}
}

func (t *twoBeats) Stage(ctx context.Context, f *File) error {
	if err := t.stage(ctx, f); err != nil {
		return err
	}
	return t.SyncDirectory(f.newDirectory())
}

func (t *twoBeats) Publish(ctx context.Context, f *File) error {
	f.Observer.Publishing()
	err := t.rename(ctx, f)
	if err == nil {
		err = t.SyncDirectory(f.newDirectory())
	}
	f.Observer.Visible(err)
	return err
}

// SyncDirectory joins the next beat of the file system.
func (t *twoBeats) SyncDirectory(dir Directory) error {
	dir.ID = kernel.FileID{Device: dir.ID.Device}
	return t.beats.sync(dir)
}
