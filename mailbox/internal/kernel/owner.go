package kernel

import (
	"errors"
	"fmt"
)

var (
	// ErrOwner says that a mailbox cannot be given mail with the rights of its owner: root is
	// none, or the process may not become that user.
	ErrOwner = errors.New("cannot deliver as the owner")
	// ErrForeign says that a directory of the Maildir belongs to somebody else than its owner.
	ErrForeign = errors.New("belongs to another user")
)

// An Owner is a user of the operating system. What a delivery asks the file system for is asked
// with the rights of this user and group, and of no other group: what is made is theirs, and
// where they may not go nothing leads, whatever they have put in the way. The zero Owner is the
// process itself.
type Owner struct{ UID, GID uint32 }

// String returns "uid:gid".
func (o Owner) String() string { return fmt.Sprintf("%d:%d", o.UID, o.GID) }

// Check refuses root, and the numbers that mean "leave it" to the kernel.
func (o Owner) Check() error {
	const leaveIt = 1<<32 - 1
	switch {
	case o.UID == 0 || o.GID == 0:
		return fmt.Errorf("%w %s: root owns no mailbox", ErrOwner, o)
	case o.UID == leaveIt || o.GID == leaveIt:
		return fmt.Errorf("%w %s: no user has this number", ErrOwner, o)
	}
	return nil
}
