package durable

import (
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// A Disk is what copies are made with.
type Disk struct {
	kernel.FS
	Names *maildir.Namer
	Hooks Hooks
}

// Hooks learn how long steps took. One that is nil costs nothing.
type Hooks struct {
	// Staged is called when a copy was written from memory into tmp/, or could not be.
	Staged func(took time.Duration, err error)
	// Synced is called after each sync of a file.
	Synced func(took time.Duration, err error)
	// DirectorySynced is called after each sync of a directory, with the number of copies that shared it.
	DirectorySynced func(took time.Duration, copies int, err error)
}

// timed takes a step, and calls hook with how long it took.
func timed(hook func(time.Duration, error), step func() error) error {
	if hook == nil {
		return step()
	}
	begun := time.Now()
	err := step()
	hook(time.Since(begun), err)
	return err
}

// A Maildir is a Maildir opened for one delivery.
type Maildir struct {
	Tmp, New int           // descriptors
	ID       kernel.FileID // of new/
}

// NoMaildir is one that is not open.
var NoMaildir = Maildir{Tmp: -1, New: -1}

// Leave closes a Maildir, if it is open.
func (d *Disk) Leave(md Maildir) {
	d.Shut(md.Tmp)
	d.Shut(md.New)
}

// A Directory is an open one, and whose it is.
type Directory struct {
	FD    int
	ID    kernel.FileID
	Owner kernel.Owner
}

// syncDirectory makes the names in a directory durable. copies is how many have waited for this sync.
func (d *Disk) syncDirectory(dir Directory, copies int) error {
	if d.Hooks.DirectorySynced == nil {
		return d.syncNames(dir)
	}
	begun := time.Now()
	err := d.syncNames(dir)
	d.Hooks.DirectorySynced(time.Since(begun), copies, err)
	return err
}

// syncNames syncs a directory, and makes sure that the file system lives.
//
// A file system that stops because its disk fails goes on to answer the sync of a directory
// with success: ext4 when the commit that the sync asks for has just failed for others
// (jbd2_complete_transaction looks no further than that it is over), and xfs when it has let go
// of the changes that it could not write. From the moment it stops it refuses changes, though.
// One that is still taken after the sync says that the file system had not stopped before, and
// that what the sync said is true.
func (d *Disk) syncNames(dir Directory) error {
	if err := d.Fsync(dir.FD); err != nil {
		return err
	}
	if dir.Owner == (kernel.Owner{}) {
		return d.TakesChanges(dir.FD)
	}
	// The right to change is asked for first, and who lacks it learns nothing.
	return d.As(dir.Owner, func() error { return d.TakesChanges(dir.FD) })
}
