package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestFrozen is R9: one file system hangs, with more deliveries in it than may be in one at once.
// The other takes mail as if nothing had happened; recipients on the frozen one get 451
// when the time for a transaction is over; the server's threads stay bounded; and when the file
// system thaws its mail goes in again.
func TestFrozen(t *testing.T) {
	powercut.Need(t, powercut.Ext4)
	if !powercut.Alone(t) {
		return
	}
	v := powercut.New(t, powercut.Ext4)
	frozen, well := filepath.Join(v.Dir, "mail"), filepath.Join(ownDir(t), "mail")
	s := openSites(t, frozen, well, "[limits]\ntransaction_timeout = \"1s\"\n")
	p := s.start(t)
	if codes := one(t, s, messageID{-1, 0}, 0, 1); !slices.Equal(codes, []int{250, 250}) {
		t.Fatalf("replies %v", codes)
	}

	thaw := v.Freeze(t)
	begin := time.Now()
	const messages = 30
	stuck, healthy := s.sendBeside(t, messages)
	// Who shares a transaction with a frozen recipient gets 250 all the same, before it and after.
	if codes := one(t, s, messageID{-1, 1}, 1, 0, 3); !slices.Equal(codes, []int{250, 451, 250}) {
		t.Errorf("replies %v", codes)
	}
	stuck.wg.Wait()
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("the frozen recipients were told after %v", took)
	}
	if n := threads(t, p.Pid()); n > 64+32 {
		t.Errorf("the server has %d threads", n)
	} else {
		t.Logf("the server has %d threads", n)
	}
	healthy.stop()
	if stuck.refused["451"] != 5*messages || len(stuck.acked) > 0 || len(healthy.refused) > 0 {
		t.Errorf("frozen: %d acknowledged, refused %v; beside: refused %v", len(stuck.acked), stuck.refused, healthy.refused)
	}
	t.Logf("beside the frozen: %d acknowledged", len(healthy.acked))

	thaw()
	if codes := one(t, s, messageID{-1, 2}, 0, 2, 1); !slices.Equal(codes, []int{250, 250, 250}) {
		t.Errorf("after the thaw the replies are %v", codes)
	}
	stop(t, p)
	for _, store := range []string{frozen, well} {
		if f := look(t, store); len(f.torn) > 0 {
			t.Errorf("torn: %q", f.torn)
		}
	}
	f := look(t, well)
	judge(t, "beside the frozen", merge(healthy.acked, copyID{messageID{-1, 0}, 1}, copyID{messageID{-1, 1}, 1},
		copyID{messageID{-1, 1}, 3}, copyID{messageID{-1, 2}, 1}), f)
}

func merge(acked map[copyID]bool, more ...copyID) map[copyID]bool {
	for _, c := range more {
		acked[c] = true
	}
	return acked
}

// threads is how many threads a process has.
func threads(t *testing.T, pid int) (n int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\nThreads:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
