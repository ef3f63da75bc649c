package privilege

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// borrowing are the capabilities to change a thread's user and group.
const borrowing = 1<<unix.CAP_SETUID | 1<<unix.CAP_SETGID

// present are the capabilities of this thread: in two halves, of which we need the lower.
func present() (data [2]unix.CapUserData, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	err = unix.Capget(&header, &data[0])
	return data, err
}

// Borrows reports whether the process has what it takes to borrow the rights of others.
func Borrows() (bool, error) {
	now, err := present()
	return now[0].Permitted&borrowing == borrowing, err
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
	data := [2]unix.CapUserData{{Effective: t.capabilities(), Permitted: t.capabilities()}}
	now, err := present()
	if err != nil || t.Owners == nil && now == data {
		return err // nothing to give up, as check sees on each thread; a service may be forbidden the call (@privileged)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	err = everyThread(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	runtime.KeepAlive(&header)
	runtime.KeepAlive(&data)
	return err
}
