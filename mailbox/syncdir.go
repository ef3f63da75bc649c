package mailbox

import "time"

// A directory is an open one, and whose it is.
type directory struct {
	fd    int
	id    fileID
	owner Owner
}

// newDirectory is new/ of the Maildir that the copy goes to.
func (f *mailfile) newDirectory() directory { return directory{f.dir.new, f.dir.id, f.to.Owner} }

// syncDirectory makes the names in a directory durable.
//
// A file system that stops because its disk fails goes on to answer the sync of a directory
// with success: ext4 when the commit that the sync asks for has just failed for others
// (jbd2_complete_transaction looks no further than that it is over), and xfs when it has let go
// of the changes that it could not write. From the moment it stops it refuses changes, though.
// One that is still taken after the sync says that the file system had not stopped before, and
// that what the sync said is true.
func syncDirectory(sys system, dir directory) error {
	if err := sys.fsync(dir.fd); err != nil {
		return err
	}
	if dir.owner == (Owner{}) {
		return sys.takesChanges(dir.fd)
	}
	// The right to change is asked for first, and who lacks it learns nothing.
	return sys.as(dir.owner, func() error { return sys.takesChanges(dir.fd) })
}

// syncDirectoryFor is syncDirectory for so many copies, and tells of it.
func syncDirectoryFor(sys system, dir directory, copies int, told func(time.Duration, int, error)) error {
	if told == nil {
		return syncDirectory(sys, dir)
	}
	begun := time.Now()
	err := syncDirectory(sys, dir)
	told(time.Since(begun), copies, err)
	return err
}
