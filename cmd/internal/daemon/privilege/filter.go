package privilege

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// architectures are those that there is a filter for, by GOARCH, as the kernel calls them. All have
// 64 bits and the lower half of an argument first.
var architectures = map[string]uint32{
	"amd64":   unix.AUDIT_ARCH_X86_64,
	"arm64":   unix.AUDIT_ARCH_AARCH64,
	"ppc64le": unix.AUDIT_ARCH_PPC64LE,
	"riscv64": unix.AUDIT_ARCH_RISCV64,
}

// Where in seccomp_data the filter finds things (seccomp(2)).
const (
	dataNumber       = 0
	dataArchitecture = 4
	dataArgument0    = 16 // its lower half
)

// x32 is the bit of the other way into the kernel that amd64 has, with numbers of its own.
const x32 = 0x40000000

var (
	allow  = unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW}
	refuse = unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	absent = unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
)

// identity are the calls that change who a thread is.
var identity = []uint32{
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID,
	unix.SYS_SETRESUID, unix.SYS_SETRESGID, unix.SYS_SETGROUPS,
}

// program is the filter of t: a list of what is refused, and all else is allowed.
func (t Target) program(architecture uint32) []unix.SockFilter {
	p := append([]unix.SockFilter{load(dataArchitecture)}, unless(unix.BPF_JEQ, architecture, refuse)...)
	p = append(p, load(dataNumber))
	p = append(p, when(unix.BPF_JGE, x32, refuse)...)
	for _, number := range identity {
		p = append(p, when(unix.BPF_JEQ, number, refuse)...)
	}
	firstUID, firstGID := t.bounds()
	p = append(p, borrow(unix.SYS_SETFSUID, uint32(t.UID), firstUID)...)
	p = append(p, borrow(unix.SYS_SETFSGID, uint32(t.GID), firstGID)...)
	if t.Owners != nil {
		// In a user namespace that it maps itself the numbers mean other users.
		p = append(p, when(unix.BPF_JEQ, unix.SYS_SETNS, refuse)...)
		p = append(p, when(unix.BPF_JEQ, unix.SYS_CLONE3, absent)...) // its flags are out of sight; callers fall back
		p = append(p, noNamespace(unix.SYS_CLONE)...)
		p = append(p, noNamespace(unix.SYS_UNSHARE)...)
	}
	return append(p, allow)
}

// noID is the argument of setfsuid and setfsgid that changes nothing: they return the ID in force.
const noID = 1<<32 - 1

func (t Target) bounds() (firstUID, firstGID uint32) {
	if t.Owners == nil {
		return noID, noID
	}
	return uint32(t.Owners.FirstUID), uint32(t.Owners.FirstGID)
}

func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// when returns the verdict if a comparison with what was loaded holds.
func when(compare uint16, with uint32, verdict unix.SockFilter) []unix.SockFilter {
	return []unix.SockFilter{{Code: unix.BPF_JMP | compare | unix.BPF_K, Jf: 1, K: with}, verdict}
}

// unless returns the verdict if it does not.
func unless(compare uint16, with uint32, verdict unix.SockFilter) []unix.SockFilter {
	return []unix.SockFilter{{Code: unix.BPF_JMP | compare | unix.BPF_K, Jt: 1, K: with}, verdict}
}

// call applies rules to the first argument of a call; they must end in a verdict.
func call(number uint32, rules ...unix.SockFilter) []unix.SockFilter {
	jump := unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: uint8(len(rules) + 1), K: number}
	return append([]unix.SockFilter{jump, load(dataArgument0)}, rules...)
}

// borrow lets a call ask for own, for first, and for what is above.
func borrow(number, own, first uint32) []unix.SockFilter {
	rules := append(when(unix.BPF_JEQ, own, allow), when(unix.BPF_JGE, first, allow)...)
	return call(number, append(rules, refuse)...)
}

// noNamespace lets a call make anything but a user namespace.
func noNamespace(number uint32) []unix.SockFilter {
	return call(number, append(when(unix.BPF_JSET, unix.CLONE_NEWUSER, refuse), allow)...)
}

// filter puts the filter, and no_new_privs with it, on every thread (SECCOMP_FILTER_FLAG_TSYNC).
func (t Target) filter() error {
	architecture, known := architectures[runtime.GOARCH]
	if !known {
		return fmt.Errorf("no filter is known for %s", runtime.GOARCH)
	}
	program := t.program(architecture)
	header := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&header)))
	runtime.KeepAlive(program)
	switch {
	case errno != 0:
		return fmt.Errorf("seccomp: %w", errno)
	case thread != 0:
		return fmt.Errorf("seccomp: thread %d has a filter of its own", thread)
	}
	return nil
}
