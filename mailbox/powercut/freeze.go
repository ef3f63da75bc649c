package powercut

import (
	"bufio"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// thawer freezes a file system until its standard input ends, and cannot be interrupted: should
// the test die, the input ends too, and the file system thaws.
const thawer = `trap '' INT TERM HUP QUIT
fsfreeze -f "$1" || exit
echo frozen
cat >/dev/null
fsfreeze -u "$1"`

// Freeze stops everything that writes to the volume, in the middle, until thaw is called or the
// test ends (fsfreeze(8)).
func (v *Volume) Freeze(tb testing.TB) (thaw func()) {
	tb.Helper()
	cmd := exec.Command("sh", "-c", thawer, "thawer", v.Dir)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	thaw = sync.OnceFunc(func() {
		if err := input.Close(); err != nil {
			tb.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			tb.Errorf("freeze and thaw %s: %v", v.Dir, err)
		}
	})
	tb.Cleanup(thaw)
	if said, err := bufio.NewReader(output).ReadString('\n'); said != "frozen\n" {
		tb.Fatalf("freeze %s: %q, %v", v.Dir, said, err)
	}
	return thaw
}
