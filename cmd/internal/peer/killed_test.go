package peer

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPeersDieWithTheTest kills a test, as a timeout of the go tool does, and wants its peers
// to be gone.
func TestPeersDieWithTheTest(t *testing.T) {
	const victim = "DOORSTEP_PEER_TEST_TO_BE_KILLED"
	if os.Getenv(victim) != "" {
		beKilled(t)
	}
	Need(t, "postfix", "dovecot")
	dir := Dir(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), victim+"=yes", "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	var postfix, dovecot int
	if n, _ := fmt.Sscanf(string(out), "all are up: %d %d", &postfix, &dovecot); n != 2 {
		t.Fatalf("peers of the victim: %v\n%s", err, out)
	}
	for _, pid := range []int{postfix, dovecot} {
		Await(t, time.Minute, "the end of process "+strconv.Itoa(pid), func() bool { return !running(pid) })
	}
}

func beKilled(t *testing.T) {
	p := StartPostfix(t, PostfixConfig{Deliver: "lmtp:unix:/absent"})
	d := StartDovecot(t, DovecotConfig{UID: MailUser, GID: MailUser})
	fmt.Printf("all are up: %s %d\n", strings.TrimSpace(read(t, p.path("queue/pid/master.pid"))), d.Pid())
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// running tells a process from one that has ended and was not yet waited for by its new parent.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}
