package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestKill is R7: kill -9 at any moment of a loaded server, again and again. The next one takes
// the place of the dead socket and is up within a second; what was acknowledged is there, and
// nothing visible is less than whole.
func TestKill(t *testing.T) {
	rounds, limit := 3, 10*time.Second // other tests run beside
	if long {
		rounds, limit = 200, time.Second
	}
	s := openSite(t, filepath.Join(ownDir(t), "mail"), "")
	acked, lost := 0, 0
	var slowest time.Duration
	p := s.start(t)
	for round := range rounds {
		l := newLoad(s)
		killAt := 1 + rand.IntN(150)
		l.told = func(acks int) {
			if acks == killAt {
				// The others are in the middle of something.
				_ = p.Signal(syscall.SIGKILL)
			}
		}
		l.run(t, 8*round, 8*(round+1))
		await(t, p.Exited(), "the load to reach the server")
		l.stop()
		if _, err := os.Lstat(filepath.Join(s.dir, "lmtp")); err != nil {
			t.Errorf("there is no stale socket: %v", err)
		}

		begin := time.Now()
		p = s.start(t)
		slowest = max(slowest, time.Since(begin))
		acked += len(l.acked)
		lost += judge(t, fmt.Sprintf("kill %d of %d, at acknowledgement %d", round+1, rounds, killAt), l.acked, look(t, s.store))
		empty(t, s.store)
	}
	stop(t, p)
	t.Logf("%d kills, %d acknowledged, %d lost; the slowest start took %v", rounds, acked, lost, slowest)
	if slowest > limit {
		t.Errorf("a start took %v, more than %v", slowest, limit)
	}
}

// empty removes all mailboxes.
func empty(t *testing.T, store string) {
	t.Helper()
	for user := range users {
		if err := os.RemoveAll(filepath.Join(store, local(user))); err != nil {
			t.Fatal(err)
		}
	}
}
