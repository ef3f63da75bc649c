package privilege

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// borrowing are the capabilities to change a thread's user and group.
const borrowing = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID

// Borrows reports whether the process has what it takes to borrow the rights of others.
func Borrows() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, err
	}
	return data[0].Permitted&borrowing == borrowing, nil
}

// capabilities are those that t leaves.
func (t Target) capabilities() uint32 {
	if t.Owners == nil {
		return 0
	}
	return borrowing
}

// setCapabilities leaves those of t, permitted and effective, and none that a program inherits.
func (t Target) setCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := [2]unix.CapUserData{{Effective: t.capabilities(), Permitted: t.capabilities()}}
	err := everyThread(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&data)
	if errors.Is(err, errThreads) && t.Owners == nil {
		return nil // who is not root any more has none; check tells
	}
	return err
}
