// Probe gives up privileges as its arguments say, and then tries what an intruder would.
//
//	probe UID GID [FIRSTUID FIRSTGID]
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/cmd/internal/daemon/privilege"
)

func main() {
	var n []int
	for _, arg := range os.Args[1:] {
		i, err := strconv.Atoi(arg)
		if err != nil {
			panic(err)
		}
		n = append(n, i)
	}
	t := privilege.Target{UID: n[0], GID: n[1], Groups: []int{n[1]}}
	if len(n) > 2 {
		t.Owners = &privilege.Owners{FirstUID: n[2], FirstGID: n[3]}
	}
	for range 8 { // threads that are there before
		go func() { runtime.LockOSThread(); select {} }()
	}
	if err := privilege.Drop(t); err != nil {
		fmt.Println("drop:", err)
		os.Exit(1)
	}
	runtime.LockOSThread()
	for _, try := range []struct {
		name string
		call func() error
	}{
		{"setuid 0", func() error { return raw(unix.SYS_SETUID, 0) }},
		{"setresuid 20001", func() error { return raw(unix.SYS_SETRESUID, 20001, 20001, 20001) }},
		{"setgid 0", func() error { return raw(unix.SYS_SETGID, 0) }},
		{"setgroups 0", func() error { return unix.Setgroups([]int{0}) }},
		{"setfsuid 0", func() error { return become(unix.SetfsuidRetUid, 0) }},
		{"setfsuid 999", func() error { return become(unix.SetfsuidRetUid, 999) }},
		{"setfsgid 0", func() error { return become(unix.SetfsgidRetGid, 0) }},
		{"setfsgid 99", func() error { return become(unix.SetfsgidRetGid, 99) }},
		{"setfsuid 20001", func() error { return become(unix.SetfsuidRetUid, 20001) }},
		{"setfsgid 20001", func() error { return become(unix.SetfsgidRetGid, 20001) }},
		{"setfsuid back", func() error { return become(unix.SetfsuidRetUid, n[0]) }},
		{"setfsgid back", func() error { return become(unix.SetfsgidRetGid, n[1]) }},
		{"unshare user", func() error { return raw(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) }},
		{"clone user", func() error {
			cmd := exec.Command("/bin/true")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
			return cmd.Run()
		}},
		{"clone3", func() error { return raw(unix.SYS_CLONE3) }},
		{"run a program", func() error { return exec.Command("/bin/true").Run() }},
		{"read /etc/shadow", func() error { _, err := os.ReadFile("/etc/shadow"); return err }},
	} {
		outcome := "ok"
		if err := try.call(); err != nil {
			outcome = "refused"
		}
		fmt.Printf("%s: %s\n", try.name, outcome)
	}
	child, err := exec.Command("/bin/grep", "^Cap[PE]", "/proc/self/status").Output()
	fmt.Printf("%s%v\n", child, err)
}

func raw(number uintptr, args ...uintptr) error {
	var a [3]uintptr
	copy(a[:], args)
	if _, _, errno := unix.RawSyscall(number, a[0], a[1], a[2]); errno != 0 {
		return errno
	}
	return nil
}

// become changes the file system's user or group, and asks whether that worked.
func become(call func(int) (int, error), id int) error {
	if _, err := call(id); err != nil {
		return err
	}
	if now, err := call(-1); err != nil || now != id {
		return unix.EPERM
	}
	return nil
}
