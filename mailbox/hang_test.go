package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// soon is within what a copy on a file system that hangs must have its outcome: where it is late a probe is sent, and
// where that is late too the copy is given up; large content waits for its carrier first.
const soon = pieceTimeout + 3*askTimeout

// A hang is a kernel on which, from the n-th call on, what is below one directory does not answer until it is lifted.
type hang struct {
	*probe
	below  string
	lifted chan struct{}

	mu           sync.Mutex
	n, calls     int
	stuck, most  int
	once         bool // only the n-th call hangs
	first        call
	disconnected bool
}

func newHang(below string) *hang {
	h := &hang{probe: newProbe(), below: below, lifted: make(chan struct{}), n: 1 << 30}
	h.before = func(_ int, c call) error {
		if !strings.HasPrefix(c.path, h.below) {
			return nil
		}
		if h.hangs(c) {
			<-h.lifted
			h.mu.Lock()
			h.stuck--
			h.mu.Unlock()
		}
		return nil
	}
	return h
}

// hangs reports whether a call hangs, and counts it then.
func (h *hang) hangs(c call) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := h.calls
	h.calls++
	if h.disconnected || i < h.n || h.once && i > h.n {
		return false
	}
	if i == h.n {
		h.first = c
	}
	h.stuck++
	h.most = max(h.most, h.stuck)
	return true
}

// from has the n-th call from now on hang, and those after it unless once.
func (h *hang) from(n int, once bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n, h.calls, h.once = n, 0, once
}

// seen returns the first call that hung, and how many did at the same time.
func (h *hang) seen() (first call, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first, h.most
}

// lift has everything answer again. It reports whether anything had hung.
func (h *hang) lift() bool {
	h.mu.Lock()
	h.disconnected = true
	hung := h.most > 0
	h.mu.Unlock()
	close(h.lifted)
	return hung
}

// Every system call of a delivery hangs once: that one alone, or with it all that comes after. In every scenario the
// copies elsewhere are delivered meanwhile, those on a file system that hangs are answered in time, and when it answers
// again nothing is left of what failed, no descriptor is open, and the next delivery works.
func TestHangs(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.String(), func(t *testing.T) {
			if sc.owner != nil && os.Geteuid() != 0 {
				t.Skip("needs root, to deliver as other users")
			}
			if sc.absent != "" {
				t.Skip("nothing hangs in what is not there")
			}
			sc.skipCovered(t)
			t.Parallel()
			for _, once := range []bool{false, true} {
				if once && sc.setting.name != "plain" {
					continue // which adds calls, and no other way through them
				}
				for n, hung := 0, true; hung; n++ {
					synctest.Test(t, func(t *testing.T) { hung = sc.runHang(t, n, once) })
					if n == 1000 {
						t.Fatal("the transaction never ends")
					}
				}
			}
		})
	}
}

// runHang runs the transaction with call n hanging, and reports whether there was a call n.
func (sc scenario) runHang(t *testing.T, n int, once bool) (hung bool) {
	root := scratch(t)
	sys := newHang(filepath.Dir(root))
	s := open(t, sc.options(), sys)
	dests := sc.dests(t, root)
	if sc.existing {
		sc.settle(t, s, dests)
	}
	if !sc.together {
		dests = append(dests, Dest{Root: well(t), Path: "u"})
	}
	if sc.sets != nil {
		sc.sets = append(slices.Clone(sc.sets), []int{sc.copies})
	}
	sys.take()
	sys.from(n, once)
	wire, disk := lines(sc.content)
	began, took := time.Now(), make([]time.Duration, len(dests))
	outcomes, over := sc.begin(s, wire, dests)
	all := make(map[int]error)
	late := time.After(soon)
	for waiting := true; waiting && len(all) < len(dests); {
		select {
		case o := <-outcomes:
			all[o.copy], took[o.copy] = o.err, time.Since(began)
		case <-late:
			waiting = false
		}
	}
	first, most := sys.seen()
	what := fmt.Sprintf("call %d %s %s", n, first.name, strings.TrimPrefix(first.path, root))
	if len(all) < len(dests) && !once {
		t.Errorf("%s: of %d copies only %v have an outcome in time", what, len(dests), all)
	}
	if !sc.together {
		err, ok := all[sc.copies]
		if !ok || err != nil || sc.content < largeBuffer && took[sc.copies] > 0 {
			t.Errorf("%s: the copy elsewhere: %t, %v after %v", what, ok, err, took[sc.copies])
		}
	}
	if most > 1+sc.copies*2 { // each, what takes it back, and a probe
		t.Errorf("%s: %d hang at the same time", what, most)
	}
	hung = sys.lift()
	<-over
	synctest.Wait()
	for len(outcomes) > 0 {
		o := <-outcomes
		if _, told := all[o.copy]; told {
			t.Errorf("%s: copy %d has two outcomes", what, o.copy)
		}
		all[o.copy] = o.err
	}
	for i, to := range dests {
		sc.checkHung(t, fmt.Sprintf("%s: copy %d", what, i), to, all[i], disk)
	}
	if open := sys.leaks(); open != nil {
		t.Errorf("%s: left open: %q", what, open)
	}
	for _, state := range s.FileSystems() {
		if state.Open || state.Running > 0 || !s.busy.Idle() || !s.asking.Idle() || !s.ledger.Idle() {
			t.Errorf("%s: afterwards %+v, or a mailbox is busy", what, state)
		}
	}
	for i, err := range send(t, s, "next\r\n", dests...) {
		if err != nil {
			t.Errorf("%s: next delivery to %d: %v", what, i, err)
		}
	}
	return hung
}

// checkHung checks what is there of a copy with this outcome.
func (sc scenario) checkHung(t *testing.T, what string, to Dest, outcome error, disk string) {
	got := mails(t, to)
	switch {
	case outcome == nil && (len(got) != 1 || got[0] != disk):
		t.Errorf("%s is reported as stored, new/ has %d files", what, len(got))
	case outcome != nil && !errors.Is(outcome, ErrHangs) && !(sc.sets != nil && errors.Is(outcome, ErrTogether)):
		t.Errorf("%s failed: %v", what, outcome)
	case len(got) > 1 || len(got) == 1 && got[0] != disk:
		t.Errorf("%s: %v, new/ has %d files", what, outcome, len(got))
	}
	if left := in(t, to.String(), "tmp"); left != nil {
		t.Errorf("%s: tmp/ has %q", what, left)
	}
	checkTally(t, to, what)
}

// An outcomeOf is that of a copy.
type outcomeOf struct {
	copy int
	err  error
}

// begin runs the transaction in a goroutine of its own. over is closed when nothing of it is under way.
func (sc scenario) begin(s *Store, wire string, dests []Dest) (outcomes chan outcomeOf, over chan struct{}) {
	outcomes, over = make(chan outcomeOf, 2*len(dests)), make(chan struct{})
	go func() {
		defer close(over)
		m := begin(s)
		for _, d := range dests {
			m.Add(d, nil)
		}
		_, _ = m.Write([]byte(wire))
		defer m.Close()
		if sc.sets != nil {
			m.CommitSets(context.Background(), Sets{Of: sc.sets}, func(i int, err error) { outcomes <- outcomeOf{i, err} })
			return
		}
		if !sc.together {
			m.Message.Commit(context.Background(), func(i int, err error) { outcomes <- outcomeOf{i, err} })
			return
		}
		m.Message.CommitAll(context.Background(), func(err error) {
			for i := range dests {
				outcomes <- outcomeOf{i, err}
			}
		})
	}()
	return outcomes, over
}

// A message whose first copies hang, more of them than are delivered at the same time, reaches the others.
func TestHungCopiesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, elsewhere := scratch(t), well(t)
		sys := newHang(filepath.Dir(root))
		s := open(t, Options{Create: true}, sys)
		var dests []Dest
		for i := range 6 * copiesAtOnce {
			to := Dest{Root: root, Path: fmt.Sprint("u", i%(2*copiesAtOnce))} // most of them wait for one another
			if i >= 5*copiesAtOnce {
				to.Root = elsewhere
			}
			dests = append(dests, to)
		}
		sys.from(0, false)
		outcomes, over := scenario{}.begin(s, "x\r\n", dests)
		for range dests {
			select {
			case o := <-outcomes:
				if hung := dests[o.copy].Root == root; hung != errors.Is(o.err, ErrHangs) || !hung && o.err != nil {
					t.Errorf("copy %d: %v", o.copy, o.err)
				}
			case <-time.After(soon):
				t.Fatal("a copy has no outcome")
			}
		}
		sys.lift()
		<-over
	})
}

// One mailbox that hangs, where the rest of its file system answers, does not take large content with it: what was to
// go through its file goes elsewhere.
func TestCarrierHangs(t *testing.T) {
	for _, name := range []string{"openat", "openBeneath", "setMode", "writev"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := scratch(t)
				sys := newProbe()
				lifted := make(chan struct{})
				hung := false
				s := open(t, Options{Create: true}, sys)
				dests := []Dest{{Root: root, Path: "u0"}, {Root: root, Path: "u1"}, {Root: root, Path: "u2"}}
				send(t, s, "first\r\n", dests...)
				sys.before = func(_ int, c call) error {
					if c.name == name && strings.Contains(c.path, "/u0/tmp") && !hung {
						hung = true
						<-lifted
					}
					return nil
				}
				wire, disk := lines(5 * largeBuffer)
				outcomes, over := scenario{}.begin(s, wire, dests)
				for range dests {
					if o := <-outcomes; (o.copy == 0) != errors.Is(o.err, ErrHangs) || o.copy > 0 && o.err != nil {
						t.Errorf("copy %d: %v", o.copy, o.err)
					}
				}
				<-over
				close(lifted)
				synctest.Wait()
				for i, to := range dests {
					if got := mails(t, to); i > 0 && (len(got) != 2 || got[0] != disk && got[1] != disk) || i == 0 && len(got) != 1 {
						t.Errorf("copy %d: new/ has %d files", i, len(got))
					}
				}
				if left := append(in(t, dests[0].String(), "tmp"), sys.leaks()...); left != nil {
					t.Errorf("left %q", left)
				}
			})
		})
	}
}

// Content that stalls in its middle, in its carrier or in the spool directory, is lost to all its recipients, in time.
// The next message is delivered.
func TestContentStalls(t *testing.T) {
	for _, place := range []string{"/u0/tmp", "/nameless"} {
		t.Run(place, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := scratch(t)
				sys := newProbe()
				lifted, pieces := make(chan struct{}), new(atomic.Int32)
				sys.before = func(_ int, c callOf) error {
					if c.name != "writev" || !strings.Contains(c.path, place) {
						return nil
					}
					if pieces.Add(1) == 3 {
						<-lifted
					}
					return nil
				}
				s := open(t, Options{Create: true, Spool: t.TempDir()}, sys)
				dests := []Dest{{Root: root, Path: "u0"}, {Root: root, Path: "u1"}}
				if place == "/nameless" {
					dests[1].Root = well(t)
				}
				wire, _ := lines(5 * largeBuffer)
				began := time.Now()
				outcomes, over := scenario{}.begin(s, wire, dests)
				for range dests {
					if o := <-outcomes; !errors.Is(o.err, ErrHangs) {
						t.Errorf("copy %d: %v", o.copy, o.err)
					}
				}
				if <-over; time.Since(began) > soon || pieces.Load() != 3 {
					t.Errorf("after %v and %d pieces", time.Since(began), pieces.Load())
				}
				for i, err := range send(t, s, "next\r\n", dests...) {
					if err != nil {
						t.Errorf("next to %d: %v", i, err)
					}
				}
				close(lifted)
				synctest.Wait()
				for _, to := range dests {
					if got := mails(t, to); len(got) != 1 {
						t.Errorf("%s: %d messages", to, len(got))
					}
				}
				if left := append(in(t, dests[0].String(), "tmp"), sys.leaks()...); left != nil {
					t.Errorf("left %q", left)
				}
			})
		})
	}
}

// Content that is dropped, because its client has gone say, keeps its session no longer than seconds.
func TestCloseHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := scratch(t)
		sys := newHang(filepath.Dir(root))
		s := open(t, Options{Create: true}, sys)
		c := s.NewContent()
		c.Deliver(Copy{To: Dest{Root: root, Path: "u"}})
		wire, _ := lines(3 * largeBuffer)
		if _, err := c.Write([]byte(wire)); err != nil {
			t.Fatal(err)
		}
		sys.from(0, false)
		began := time.Now()
		if c.Close(); time.Since(began) > pieceTimeout {
			t.Errorf("closed after %v", time.Since(began))
		}
		sys.lift()
		synctest.Wait()
		if left := append(in(t, root, "u", "tmp"), sys.leaks()...); left != nil {
			t.Errorf("left %q", left)
		}
	})
}

// A sweeper goes on beside a file system that hangs.
func TestSweeperHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := scratch(t)
		sys := newHang(filepath.Dir(root))
		s := open(t, Options{Create: true}, sys)
		dests := []Dest{{Root: root, Path: "u0"}, {Root: root, Path: "u1"}, {Root: well(t), Path: "u2"}}
		send(t, s, "x\r\n", dests...)
		sys.from(0, false)
		swept := make(chan error)
		go s.RunSweeper(t.Context(), func(to Dest, _ int, err error) {
			if (to.Root == root) != errors.Is(err, ErrHangs) {
				t.Errorf("%s: %v", to, err)
			}
			swept <- err
		})
		for range dests {
			<-swept
		}
		sys.lift()
		s.Close()
	})
}

// A copy of a set that hangs at the end of a step, after the last look at whether it is waited for, was answered for
// all the same: it does not go on, and nothing of it stays.
func TestHangsAtTheEndOfAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := scratch(t)
		sys := newHang(filepath.Dir(root))
		s := open(t, Options{Create: true}, sys)
		c := s.NewContent()
		defer c.Close()
		to := Dest{Root: root, Path: "u", Quota: roomy}
		m := c.Deliver(Copy{To: to})
		var answers []error
		m.observe, m.done = func(error) {}, func(_ int, err error) { answers = append(answers, err) }
		(&Sets{Of: [][]int{{0}}}).bundle(m.deliveries)
		over := make(chan error)
		go func() {
			d := m.deliveries[0]
			over <- d.inPlace(t.Context(), func(ctx context.Context) error {
				err := d.stage(ctx)
				sys.from(0, false) // the probe
				<-sys.lifted
				return err
			})
		}()
		time.Sleep(soon)
		sys.lift()
		err := <-over
		synctest.Wait()
		if !errors.Is(err, ErrHangs) || len(answers) != 1 || !errors.Is(answers[0], ErrHangs) {
			t.Errorf("ends with %v, answered with %v", err, answers)
		}
		left := append(in(t, to.String(), "tmp"), sys.leaks()...)
		if left = append(left, in(t, to.String(), "new")...); left != nil || !s.ledger.Idle() {
			t.Errorf("left %q, or its room", left)
		}
	})
}
