// Package privilege gives up the rights that a process started with.
package privilege

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Target is what a process is to have left.
type Target struct {
	// UID and GID are its user and group, in every place that the kernel keeps one.
	UID, GID int
	// Groups are its supplementary groups. With Owners it has none: those whose rights it
	// borrows must not have them, and so nothing need be changed with each.
	Groups []int
	// Owners are the users and groups whose rights on files it may borrow; nil for none.
	Owners *Owners
}

// Owners are bounds: root and the users and groups of the system are below them.
type Owners struct{ FirstUID, FirstGID int }

// Drop makes the process what t says, on each of its threads and for good, and checks that. After
// an error the process must end. Root can become any user; others can stay who they are and give up
// capabilities.
//
// No program that the process starts gets rights from its file (no_new_privs), and a filter of
// system calls refuses to change users, so that neither CAP_SETUID nor a fault in the kernel's
// rules is a way back. With Owners it lets the file system's user and group be changed, and
// only to such as are within bounds.
func Drop(t Target) error {
	if t.UID == 0 || t.GID == 0 {
		return errors.New("cannot become root")
	}
	if t.Owners != nil {
		t.Groups = nil
	}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"keep capabilities", t.keepCapabilities},
		{"set groups", t.setGroups},
		{"set group", t.setGroup},
		{"set user", t.setUser},
		{"set capabilities", t.setCapabilities},
		{"filter system calls", t.filter},
		{"check what is left", t.check},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("give up privileges: %s: %w", step.what, err)
		}
	}
	return nil
}

// Become makes the process a user in these groups, for good, as what starts a service does.
func Become(uid, gid int, groups []int) error {
	t := Target{UID: uid, GID: gid, Groups: groups}
	return errors.Join(t.setGroups(), t.setGroup(), t.setUser())
}

// errThreads says that what is a thread's cannot be set on all. The C library has threads of
// which Go does not know.
var errThreads = errors.New("not possible in a program built with cgo; build it with CGO_ENABLED=0")

// everyThread makes a system call on each thread. What it sets, new ones inherit.
func everyThread(trap, a1, a2, a3 uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall(trap, a1, a2, a3)
	switch errno {
	case 0:
		return nil
	case syscall.ENOTSUP:
		return errThreads
	}
	return errno
}

// keepCapabilities keeps those of root over the change of user.
func (t Target) keepCapabilities() error {
	if t.Owners == nil || os.Geteuid() != 0 {
		return nil
	}
	return everyThread(unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0)
}

func (t Target) setGroups() error {
	now, err := unix.Getgroups()
	if err != nil || sameGroups(now, t.Groups) {
		return err
	}
	return syscall.Setgroups(t.Groups)
}

func sameGroups(a, b []int) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// A process that another has started in its place is who it is to be, and a filter refuses even that
// to be said again.

func (t Target) setGroup() error {
	if real, effective, saved := unix.Getresgid(); real == t.GID && effective == t.GID && saved == t.GID {
		return nil
	}
	return syscall.Setresgid(t.GID, t.GID, t.GID)
}

func (t Target) setUser() error {
	if real, effective, saved := unix.Getresuid(); real == t.UID && effective == t.UID && saved == t.UID {
		return nil
	}
	return syscall.Setresuid(t.UID, t.UID, t.UID)
}
