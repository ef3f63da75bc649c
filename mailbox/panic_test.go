package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Every system call of a delivery panics once, in every scenario. That is the error of the copies whose
// call it was: the process lives on, the others are delivered, no descriptor is closed twice, and nobody
// is left waiting for the copy that panicked.
func TestPanics(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.String(), func(t *testing.T) {
			if sc.owner != nil && os.Geteuid() != 0 {
				t.Skip("needs root, to deliver as other users")
			}
			sc.skipCovered(t)
			t.Parallel()
			for n := 0; sc.runPanic(t, n); n++ {
				if n == 1000 {
					t.Fatal("the transaction never ends")
				}
			}
		})
	}
}

// runPanic runs the transaction with call n panicking, and reports whether there was a call n.
func (sc scenario) runPanic(t *testing.T, n int) (fired bool) {
	root := scratch(t)
	defer os.RemoveAll(root)
	sys := newProbe()
	s := open(t, sc.options(), sys)
	dests := sc.dests(t, root)
	if sc.existing {
		sc.settle(t, s, dests)
	}
	sys.take()
	var failing call
	sys.before = func(i int, c call) error {
		if i == n {
			fired, failing = true, c
			panic("boom")
		}
		return nil
	}
	wire, disk := lines(sc.content)
	var outcomes []error
	raised := guard.Call(func() error { outcomes = sc.deliver(t, s, wire, dests); return nil })
	sys.before = nil
	inSets := sc.together || sc.sets != nil
	if raised != nil && failing.name == "close" && (sc.content > largeBuffer || sc.single || inSets) {
		return fired // of what copies share, when all have their outcome: the caller's goroutine has it
	}

	what := fmt.Sprintf("call %d %s %s", n, failing.name, strings.TrimPrefix(failing.path, root))
	if raised != nil {
		t.Errorf("%s: the goroutine that delivers panics: %v", what, raised)
	}
	panicked := false
	for i, err := range outcomes {
		var p *guard.Panic
		switch {
		case errors.As(err, &p):
			panicked = true
			if len(p.Stack) == 0 || p.Value != "boom" {
				t.Errorf("%s: copy %d: panic is %v, with %d octets of stack", what, i, p.Value, len(p.Stack))
			}
		case errors.Is(err, ErrTogether):
			continue // checkSets
		case err != nil:
			t.Errorf("%s: copy %d failed: %v", what, i, err)
		}
		if err != nil && !sc.concerns(failing, root, i, dests[i].Owner) {
			t.Errorf("%s: copy %d failed: %v", what, i, err)
		}
		if got := mails(t, dests[i]); err == nil && (len(got) != 1 || got[0] != disk) {
			t.Errorf("%s: copy %d is reported as stored, new/ has %d files", what, i, len(got))
		}
	}
	if failing.name != "close" { // of its Maildir, when all copies are there
		sc.checkSets(t, what, outcomes)
	}
	if fired && !panicked && !(sc.content > largeBuffer && len(dests) > 1) { // else the next copy carries the content
		t.Errorf("%s: no copy has the panic: %v", what, outcomes)
	}
	for i, err := range send(t, s, "next\r\n", dests...) {
		if err != nil {
			t.Errorf("%s: next delivery to %d: %v", what, i, err)
		}
	}
	return fired
}

// A panic in done of one copy, or in a hook, is raised again after the last outcome, where the caller
// can recover it, and not in a goroutine where nobody can.
func TestDonePanics(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprintf("busy %t", busy), func(t *testing.T) {
			s := open(t, Options{Create: true, PerMailbox: 1}, newProbe())
			m := begin(s)
			root := scratch(t)
			for i := range 5 {
				path := fmt.Sprintf("d/u%d", i)
				if busy {
					path = "d/u" // all but one wait for it
				}
				m.Add(Dest{Root: root, Path: path}, nil)
			}
			_, _ = m.Write([]byte("x\r\n"))
			var mu sync.Mutex
			told := map[int]error{}
			err := guard.Call(func() error {
				m.Commit(context.Background(), func(i int, err error) {
					mu.Lock()
					defer mu.Unlock()
					told[i] = err
					if i == 2 {
						panic("boom")
					}
				})
				return nil
			})
			var p *guard.Panic
			if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "TestDonePanics") {
				t.Errorf("Commit ends with %v", err)
			}
			if len(told) != 5 {
				t.Errorf("outcomes %v, want five", told)
			}
			for i, err := range told {
				if err != nil {
					t.Errorf("copy %d: %v", i, err)
				}
			}
		})
	}
}
