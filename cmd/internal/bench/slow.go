package main

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// slowFlush is how long a flush of the slow disk takes: that of a good hard disk behind a cache, or
// of a volume over the network.
const slowFlush = 2 * time.Millisecond

// slowDisk mounts ext4 on a disk in memory whose flushes take slowFlush, until h ends. It is the disk
// of the power cut tests: a FUSE server in this process, whose processor time is nobody's.
func slowDisk(h *host) (dir string, err error) {
	err = h.launch(func() {
		powercut.Need(h, powercut.Ext4ForMany)
		v := powercut.New(h, powercut.Ext4ForMany)
		v.Disk.SlowFlush(slowFlush)
		dir = v.Dir
	})
	return dir, err
}

// ownMounts, in the environment, says that this process has mounts of its own.
const ownMounts = "DOORSTEP_BENCH_MOUNTS"

// withOwnMounts runs this program again where nobody else sees what it mounts, and where that
// vanishes with it. It reports whether it did; without root there is nothing to mount.
func withOwnMounts() (done bool, err error) {
	if os.Geteuid() != 0 || os.Getenv(ownMounts) != "" {
		return false, nil
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownMounts+"=yes")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	signal.Ignore(os.Interrupt) // it has its own way to end
	return true, cmd.Run()
}
