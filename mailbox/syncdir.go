package mailbox

import "time"

// syncDirectory makes the names in a directory durable.
//
// A file system that stops because its disk fails goes on to answer the sync of a directory
// with success: ext4 when the commit that the sync asks for has just failed for others
// (jbd2_complete_transaction looks no further than that it is over), and xfs when it has let go
// of the changes that it could not write. From the moment it stops it refuses changes, though.
// One that is still taken after the sync says that the file system had not stopped before, and
// that what the sync said is true.
func syncDirectory(sys system, dir int) error {
	if err := sys.fsync(dir); err != nil {
		return err
	}
	return sys.takesChanges(dir)
}

// syncDirectoryFor is syncDirectory for so many copies, and tells of it.
func syncDirectoryFor(sys system, dir, copies int, told func(time.Duration, int, error)) error {
	if told == nil {
		return syncDirectory(sys, dir)
	}
	begun := time.Now()
	err := syncDirectory(sys, dir)
	told(time.Since(begun), copies, err)
	return err
}
