package crash

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// TestPowerCut is R1: the power fails under a server that many sessions load, at some write or
// flush of the disk. What it acknowledged is there when the power is back; nothing in new/ or
// cur/ is less than whole; and the same process takes mail again. So it is under each setting.
func TestPowerCut(t *testing.T) {
	kinds, sessions, cuts, each := []powercut.FileSystem{powercut.Ext4}, []int{8}, 2, 1
	if long {
		kinds, sessions, cuts, each = powercut.FileSystems, []int{1, 8, 64}, 5, 5
	}
	powercut.Need(t, kinds...)
	if !powercut.Alone(t) {
		return
	}
	for _, kind := range kinds {
		for _, n := range sessions {
			t.Run(fmt.Sprintf("LMTP-07 %s %d sessions", kind.Name, n), func(t *testing.T) { cutRounds(t, kind, plain, n, cuts) })
		}
		for _, set := range settings[1:] {
			t.Run(fmt.Sprintf("LMTP-07 %s %s", kind.Name, set.name), func(t *testing.T) {
				set.need(t)
				cutRounds(t, kind, set, 8, each)
			})
		}
		t.Run(kind.Name+" control", func(t *testing.T) { control(t, kind) })
	}
}

func cutRounds(t *testing.T, kind powercut.FileSystem, set setting, sessions, cuts int) {
	total, lost := 0, 0
	for i := range cuts {
		what, acked, f := cutOnce(t, kind, set, sessions, i)
		lost += judge(t, what, acked, f)
		total += len(acked)
	}
	t.Logf("%s, %s, %d sessions: %d cuts, %d acknowledged, %d lost", kind.Name, set.name, sessions, cuts, total, lost)
}

// control is R2: a harness that notices nothing proves nothing. Without syncs mail is lost.
func control(t *testing.T, kind powercut.FileSystem) {
	v := powercut.New(t, kind)
	s := openSite(t, filepath.Join(v.Dir, "mail"), `durability = "none"`)
	p := s.start(t)
	l := newLoad(s)
	l.cut = v.Disk.Dead()
	l.told = func(acks int) {
		if acks == 200 {
			v.Disk.Cut()
		}
	}
	l.run(t, 0, 8)
	await(t, v.Disk.Dead(), "two hundred deliveries")
	l.stop()
	v.PowerOn(t)
	stop(t, p)
	f := look(t, s.store)
	lost := len(missing(l.acked, f))
	t.Logf("%s, without syncs: %d acknowledged, %d lost, %d torn", kind.Name, len(l.acked), lost, len(f.torn))
	if lost == 0 {
		t.Error("nothing is lost")
	}
}

// cutOnce makes a file system, loads a server on it, cuts the power and looks what is left. It
// returns what clients were answered, and what is there.
func cutOnce(t *testing.T, kind powercut.FileSystem, set setting, sessions,
	round int) (what string, acked map[copyID]bool, f finding) {
	v := powercut.New(t, kind)
	s := set.open(t, filepath.Join(v.Dir, "mail"))
	p := s.start(t)
	at, keep, seed := 50+rand.IntN(2500), []float64{0, 0.5, 0.1, 0.9}[round%4], rand.Uint64()
	if kind.AllOrNothing {
		keep = 0
	}
	slow := time.Duration(round%2) * 2 * time.Millisecond
	v.Disk.SlowFlush(slow)
	v.Disk.CutIn(at, keep, seed)
	l := newLoad(s)
	l.cut = v.Disk.Dead()
	l.run(t, 0, sessions)
	await(t, v.Disk.Dead(), "the load to reach the disk")
	l.stop()
	l.onlyTemporary(t)
	if len(l.broken) > 0 {
		t.Errorf("sessions broke: %.3v", l.broken)
	}
	if codes := one(t, s, messageID{-1, 0}, 0, 2); codes[0]/100 != 4 || codes[1]/100 != 4 {
		t.Errorf("without power the replies are %v", codes)
	}

	v.PowerOn(t)
	what = fmt.Sprintf("%s, %s, %d sessions, power cut at operation %d, %.0f %% of the cache kept, seed %d, flush %v",
		kind.Name, set.name, sessions, at, 100*keep, seed, slow)
	f = lookFor(t, s.store, set.recognize)
	if codes := one(t, s, messageID{-1, 1}, 0, 2); !slices.Equal(codes, []int{250, 250}) {
		t.Errorf("with the power back the replies are %v", codes)
	}
	s.checkQuotas(t)
	if s.desk != nil { // the same process would try again what failed without power, a minute later
		stop(t, p)
		p = s.start(t)
	}
	s.checkReports(t, what, l.promised, lookFor(t, s.store, set.recognize), 1)
	stop(t, p)
	return what, l.acked, f
}
