package mailbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
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

// check refuses root, and the numbers that mean "leave it" to the kernel.
func (o Owner) check() error {
	const leaveIt = 1<<32 - 1
	switch {
	case o.UID == 0 || o.GID == 0:
		return fmt.Errorf("%w %s: root owns no mailbox", ErrOwner, o)
	case o.UID == leaveIt || o.GID == leaveIt:
		return fmt.Errorf("%w %s: no user has this number", ErrOwner, o)
	}
	return nil
}

// as takes a step with the rights of o. The calls to the kernel that go by a name or make
// something need it; an open descriptor keeps the rights that it was opened with.
func (s *Store) as(o Owner, step func() error) error {
	if o == (Owner{}) {
		return step()
	}
	return s.sys.as(o, step)
}

// asOwner is as for a step of a copy. Without an owner it costs nothing.
func (f *mailfile) asOwner(step func(*mailfile) error) error {
	if f.to.Owner == (Owner{}) {
		return step(f)
	}
	return f.store().sys.as(f.to.Owner, func() error { return step(f) })
}

// belongs checks that the directories of a Maildir are those of its owner: others could take
// the mail away again, or put other mail in its place.
func (s *Store) belongs(o Owner, fds ...int) error {
	if o == (Owner{}) {
		return nil
	}
	for _, fd := range fds {
		uid, err := s.sys.ownerOf(fd)
		if err != nil {
			return err
		}
		if uid != o.UID {
			return fmt.Errorf("%w (%d, not %d)", ErrForeign, uid, o.UID)
		}
	}
	return nil
}

// ownerOf tells to whom an open file belongs.
func (kernel) ownerOf(fd int) (uid uint32, err error) {
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Uid, err
}
