package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestKill is R7: kill -9 at any moment of a loaded server, again and again. The next one takes
// the place of the dead socket and is up within a second; what was acknowledged is there, and
// nothing visible is less than whole.
func TestKill(t *testing.T) {
	for _, set := range settings {
		t.Run("LMTP-07 "+set.name, func(t *testing.T) {
			set.need(t)
			rounds := 1
			switch {
			case long && set.name == plain.name:
				rounds = 200
			case long:
				rounds = 50
			case set.name == plain.name:
				rounds = 3
			}
			killRounds(t, set, rounds)
		})
	}
}

// TestKillAmongHangs is TestKill with the mail, and the directory of the accounts, on a file system that hangs for
// moments, and in the long form for longer than it takes to notice. Every other kill comes while it hangs.
func TestKillAmongHangs(t *testing.T) {
	powercut.Need(t)
	if !powercut.Alone(t) {
		return
	}
	rounds := 2
	if long {
		rounds = 50
	}
	killRounds(t, setting{name: "hangs", disk: powercut.NewLoopback(t), recognize: recognize}, rounds)
}

func killRounds(t *testing.T, set setting, rounds int) {
	limit := 10 * time.Second // other tests run beside
	if long {
		limit = time.Second
	}
	s := set.open(t, filepath.Join(set.dir(t), "mail"))
	acked, lost := 0, 0
	var slowest time.Duration
	p := s.start(t)
	for round := range rounds {
		l := newLoad(s)
		killAt := 1 + rand.IntN(150)
		l.told = func(acks int) {
			if acks == killAt {
				// The others are in the middle of something.
				if set.disk != nil && round%2 == 0 {
					set.disk.Stop(t)
				}
				_ = p.Signal(syscall.SIGKILL)
			}
		}
		hangNoMore := set.hangNowAndThen(t)
		l.run(t, 8*round, 8*(round+1))
		await(t, p.Exited(), "the load to reach the server")
		l.stop()
		hangNoMore()
		if _, err := os.Lstat(filepath.Join(s.dir, "lmtp")); err != nil {
			t.Errorf("there is no stale socket: %v", err)
		}

		begin := time.Now()
		p = s.start(t)
		slowest = max(slowest, time.Since(begin))
		acked += len(l.acked)
		what := fmt.Sprintf("%s, kill %d of %d, at acknowledgement %d", set.name, round+1, rounds, killAt)
		f := lookFor(t, s.store, set.recognize)
		lost += judge(t, what, l.acked, f)
		s.checkReports(t, what, l.promised, f, 1)
		s.checkQuotas(t)
		s.empty(t)
	}
	stop(t, p)
	t.Logf("%s: %d kills, %d acknowledged, %d lost; the slowest start took %v", set.name, rounds, acked, lost, slowest)
	if slowest > limit {
		t.Errorf("a start took %v, more than %v", slowest, limit)
	}
}

// empty removes all mailboxes, and the homes where the server makes them.
func (s *site) empty(t *testing.T) {
	t.Helper()
	for user := range users {
		dir := maildir(s.store, user)
		if !s.setting.owners {
			dir = filepath.Dir(dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}
