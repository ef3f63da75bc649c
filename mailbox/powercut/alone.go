package powercut

import (
	"bufio"
	"errors"
	"flag"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// inside, in the environment, says that this process has namespaces of its own.
const inside = "DOORSTEP_POWERCUT_INSIDE"

// Alone runs the test that calls it once more, in a process whose mounts no other sees and
// which vanish with it, however it ends: by a signal, a panic, or the time limit of the go tool.
// It returns true in that process. Where it returns false the test has been run, and is to
// return.
//
//	if !powercut.Alone(t) {
//		return
//	}
func Alone(t *testing.T) bool {
	t.Helper()
	here, err := again(t, unix.CLONE_NEWNS)
	if errors.Is(err, unix.EPERM) {
		t.Skipf("needs mounts of its own: %v", err) // also in CI: nothing that is installed helps
	} else if err != nil {
		t.Fatal(err)
	}
	return here
}

// AloneOnNetwork is Alone with a network instead of mounts: loopback, where all ports are free. Where a process may
// have none of its own, the test goes on with that of the machine.
func AloneOnNetwork(t *testing.T) bool {
	t.Helper()
	here, err := again(t, unix.CLONE_NEWNET)
	if errors.Is(err, unix.EPERM) {
		return true
	} else if err != nil {
		t.Fatal(err)
	}
	if here {
		loopbackUp(t)
	}
	return here
}

// loopbackUp has the network of this process take connections to itself (netdevice(7)).
func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	loopback.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, loopback); err != nil {
		t.Fatal(err)
	}
}

// again runs the test once more, in a process with namespaces of its own. It reports whether this is that process, and
// the error where it cannot be started.
func again(t *testing.T, namespaces uintptr) (here bool, err error) {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true, nil
	}
	// Subtests side by side wait there for what hangs, and need no processors.
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v", "-test.parallel=16"}
	for _, name := range []string{"test.timeout", "test.short"} {
		args = append(args, "-"+name+"="+flag.Lookup(name).Value.String())
	}
	cmd := exec.Command(os.Args[0], args...)
	// The race detector would sleep for a second at the end.
	cmd.Env = append(os.Environ(), inside+"=yes", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: namespaces, Pdeathsig: syscall.SIGKILL}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	// The signal of a parent's death comes when the thread ends that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return false, err
	}
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	skipped := false
	for lines.Scan() {
		line := lines.Text()
		skipped = skipped || strings.HasPrefix(line, "--- SKIP")
		if line != "PASS" && !strings.HasPrefix(line, "=== ") {
			t.Log(line)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("alone: %v", err)
	}
	if skipped {
		t.Skip("see above")
	}
	return false, nil
}
