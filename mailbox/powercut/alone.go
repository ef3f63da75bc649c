package powercut

import (
	"bufio"
	"flag"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// inside, in the environment, says that this process has mounts of its own.
const inside = "DOORSTEP_POWERCUT_INSIDE"

// Alone runs the test that calls it once more, in a process whose mounts nobody else sees and
// which vanish with it, however it ends: by a signal, a panic, or the time limit of the go tool.
// It returns true in that process. Where it returns false the test has been run, and is to
// return.
//
//	if !powercut.Alone(t) {
//		return
//	}
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v"}
	for _, name := range []string{"test.timeout", "test.short"} {
		args = append(args, "-"+name+"="+flag.Lookup(name).Value.String())
	}
	cmd := exec.Command(os.Args[0], args...)
	// The race detector would sleep for a second at the end.
	cmd.Env = append(os.Environ(), inside+"=yes", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	// The signal of a parent's death comes when the thread ends that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
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
	return false
}
