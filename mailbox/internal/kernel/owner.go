package kernel

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

var (
	// ErrOwner says that a mailbox cannot be given mail with the rights of its owner: root is
	// none, or the process may not become that user.
	ErrOwner = errors.New("cannot deliver as the owner")
	// ErrForeign says that a directory of the Maildir does not belong to its owner.
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

// On Linux credentials are a thread's, whatever the C library makes of that. Those for the file
// system can be changed alone (setfsuid(2)): unlike with the effective user, the user whose rights
// are borrowed can neither signal nor trace the process meanwhile.

// errUnfinished is the outcome of a step whose goroutine ended in the midst of it.
var errUnfinished = errors.New("step was not finished")

// As takes a step with the rights of o, on a thread of its own. It needs CAP_SETUID and CAP_SETGID,
// unless the process is o already.
func (Linux) As(o Owner, step func() error) error {
	if err := o.Check(); err != nil {
		return err
	}
	own, err := current()
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrOwner, o, err)
	}
	if own.uid == int(o.UID) && own.gid == int(o.GID) {
		return step()
	}
	return onThread(step,
		func() error { return own.become(credentials{uid: int(o.UID), gid: int(o.GID)}) },
		func() error { return own.resume() })
}

// onThread takes a step on a thread that no other goroutine uses meanwhile, changed before and
// changed back after it. A thread that could not be changed back ends: it is never used again.
//
// Go starts no thread from one that is locked to its goroutine, so that none inherits the change.
func onThread(step, change, back func() error) error {
	err := errUnfinished
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer func() {
			if back() == nil {
				runtime.UnlockOSThread()
			} // else the thread ends with its goroutine
		}()
		if err = change(); err == nil {
			err = errUnfinished
			err = guard.Call(step)
		}
	}()
	<-ended
	if p, ok := err.(*guard.Panic); ok {
		panic(p) // it belongs to the caller
	}
	return err
}

// credentials are what the kernel goes by when a file is asked for.
type credentials struct {
	uid, gid int
	groups   []int
}

// current returns the credentials of the process.
func current() (credentials, error) {
	groups, err := unix.Getgroups()
	return credentials{unix.Geteuid(), unix.Getegid(), groups}, err
}

// become sets the rights of the thread to those of another user: the group first, and no supplementary
// groups, because those of the process say nothing about this user.
func (own credentials) become(other credentials) error {
	if len(own.groups) > 0 {
		if err := unix.Setgroups(nil); err != nil {
			return fmt.Errorf("%w %d:%d: leave the groups of the process: %w", ErrOwner, other.uid, other.gid, err)
		}
	}
	if err := set(unix.SetfsgidRetGid, other.gid); err != nil {
		return fmt.Errorf("%w %d:%d: become group: %w", ErrOwner, other.uid, other.gid, err)
	}
	if err := set(unix.SetfsuidRetUid, other.uid); err != nil {
		return fmt.Errorf("%w %d:%d: become user: %w", ErrOwner, other.uid, other.gid, err)
	}
	return nil
}

// resume sets the rights of the thread to those of the process again.
func (own credentials) resume() error {
	if err := set(unix.SetfsuidRetUid, own.uid); err != nil {
		return err
	}
	if err := set(unix.SetfsgidRetGid, own.gid); err != nil {
		return err
	}
	if len(own.groups) > 0 {
		return unix.Setgroups(own.groups)
	}
	return nil
}

// set calls setfsuid or setfsgid, which do not report whether they did anything: a second call, for
// a user that there is not, returns who is in force.
func set(call func(int) (int, error), id int) error {
	if _, err := call(id); err != nil {
		return err
	}
	in, err := call(-1)
	if err == nil && in != id {
		err = unix.EPERM
	}
	return err
}
