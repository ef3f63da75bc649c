package outbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/doorstep-mail/doorstep/delivery/outbox"
)

// With these set, TestKilledProcess is a process that delivers a message and sends its reports, and is killed.
const (
	killRoot = "OUTBOX_TEST_ROOT"
	killCall = "OUTBOX_TEST_KILLED" // before which call
)

// TestKilledProcess is the process that TestKilled kills. It prints what a client is answered, and at last how many
// system calls there were.
func TestKilledProcess(t *testing.T) {
	root := os.Getenv(killRoot)
	if root == "" {
		t.Skip("only for TestKilled")
	}
	call, err := strconv.Atoi(os.Getenv(killCall))
	must(t, err)
	s := newSite(t, root)
	s.faults.Before(func(n int, _ outbox.Call) error {
		if n == call {
			must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
			select {}
		}
		return nil
	})
	s.deliverTo(t, "m1", recipients, func(local string, err error) { fmt.Println("reply", code(err), local) })
	s.box.Round(t.Context(), s.sendToFile)
	fmt.Println("calls", s.faults.Before(nil))
	s.close(t)
}

// sendToFile is a server that outlives this process.
func (s *site) sendToFile(_ context.Context, group []outbox.Entry) outbox.Verdict {
	f, err := os.OpenFile(s.sentFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		for _, e := range group {
			_, err = fmt.Fprintln(f, strings.TrimSuffix(e.Final, "@dst.example"))
		}
		_ = f.Close()
	}
	return outbox.Verdict{Err: err}
}

func (s *site) sentFile() string { return filepath.Join(s.root, "sent") }

// sentTo is how often each recipient was reported of.
func (s *site) sentTo(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(s.sentFile())
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	sent := map[string]int{}
	for local := range strings.Lines(string(text)) {
		sent[strings.TrimSpace(local)]++
	}
	return sent
}

// TestKilled: a process is killed before each system call of the outbox, on the way of a message and of its reports.
// The client then sends the message again to whom it has no 250 for. Who was acknowledged has the message and is
// reported of, and no other recipient is. Of a copy there is one report, but for those that were being sent when it was
// killed.
func TestKilled(t *testing.T) {
	calls := killAt(t, -1)
	if calls < 30 {
		t.Errorf("only %d calls", calls)
	}
	for n := range calls {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			killAt(t, n)
		})
	}
}

// killAt kills the process before a call, and returns how many calls there were.
func killAt(t *testing.T, call int) (calls int) {
	t.Helper()
	root := outbox.Scratch(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), killRoot+"="+root, killCall+"="+strconv.Itoa(call))
	out, err := cmd.CombinedOutput()
	// Who waits for the same sync shares it, or does not: the last calls are not always there.
	if killed := strings.Contains(cmd.ProcessState.String(), "killed"); call >= 0 && call < 25 && !killed ||
		err != nil && !killed {
		t.Fatalf("call %d: %v\n%s", call, cmd.ProcessState, out)
	}
	var acked []string
	for line := range strings.Lines(string(out)) {
		var code int
		var local string
		if n, _ := fmt.Sscanf(line, "reply %d %s", &code, &local); n == 2 && code == 250 {
			acked = append(acked, local)
		}
		_, _ = fmt.Sscanf(line, "calls %d", &calls)
	}
	s := newSite(t, root)
	defer s.close(t)
	sent := s.sentTo(t)
	again := slices.DeleteFunc(slices.Clone(recipients), func(r recipient) bool {
		return slices.Contains(acked, r.local)
	})
	s.deliverTo(t, "m1", again, func(local string, err error) {
		if err == nil {
			acked = append(acked, local)
		}
	})
	s.box.Round(t.Context(), s.sendToFile)
	total := s.sentTo(t)
	for _, r := range recipients {
		copies, reports := s.copies(t, "m1", r.local), total[r.local]
		switch isAcked := slices.Contains(acked, r.local); {
		case isAcked != (r.local != "broken") || isAcked && (copies < 1 || copies > 2):
			t.Errorf("call %d: %s is acknowledged: %v, and has %d copies", call, r.local, isAcked, copies)
		case (isAcked && r.asks()) != (reports > 0):
			t.Errorf("call %d: %s has %d copies, and %d reports", call, r.local, copies, reports)
		case reports > copies+sent[r.local]:
			t.Errorf("call %d: %s has %d copies, and %d reports, of which %d were sent before", call, r.local, copies,
				reports, sent[r.local])
		}
	}
	if st := s.box.State(); st.Entries != 0 || !st.Offers {
		t.Errorf("call %d: %+v", call, st)
	}
	return calls
}
