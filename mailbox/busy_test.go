package mailbox

import (
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A blockade is a kernel whose syncs below some path do not end until it is lifted.
type blockade struct {
	*probe
	lifted chan struct{}

	mu   sync.Mutex
	held int // syncs that wait
}

// blocked returns a store on a disk that is slow for one mailbox only.
func blocked(t *testing.T, path string, perMailbox int) (*Store, *blockade) {
	b := &blockade{probe: newProbe(), lifted: make(chan struct{})}
	b.before = func(_ int, c call) error {
		if c.name == "fsync" && strings.Contains(c.path, path) {
			b.mu.Lock()
			b.held++
			b.mu.Unlock()
			<-b.lifted
		}
		return nil
	}
	return open(t, Options{Create: true, Durability: Group, PerMailbox: perMailbox}, b), b
}

func (b *blockade) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// A mailbox that is slow takes a number of deliveries at once, and queues the rest. Other mailboxes of
// the same file system, and of the same message, get their mail meanwhile.
func TestBusyMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := scratch(t)
		busy, idle := Dest{Root: root, Path: "busy"}, Dest{Root: root, Path: "idle"}
		s, disk := blocked(t, "/busy/", 2)
		var flood sync.WaitGroup
		for range 200 {
			flood.Go(func() {
				if err := send(t, s, "flood\r\n", busy)[0]; err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := disk.waiting(); n < 1 || n > 2 {
			t.Errorf("%d deliveries are under way, want at most 2", n)
		}
		if err := send(t, s, "meanwhile\r\n", idle)[0]; err != nil || len(mails(t, idle)) != 1 {
			t.Errorf("the idle mailbox: %v, %d messages", err, len(mails(t, idle)))
		}

		// A message with more copies for the busy one than it has workers.
		m := begin(s)
		for range 2 * copiesAtOnce {
			m.Add(busy, nil)
		}
		m.Add(idle, nil)
		_, _ = m.Write([]byte("to both\r\n"))
		told := make(chan int, 3*copiesAtOnce)
		flood.Go(func() {
			m.Commit(t.Context(), func(copy int, err error) {
				if err != nil {
					t.Errorf("copy %d: %v", copy, err)
				}
				told <- copy
			})
		})
		synctest.Wait()
		if len(told) != 1 || <-told != 2*copiesAtOnce || len(mails(t, idle)) != 2 {
			t.Errorf("%d copies have an outcome, the idle mailbox has %d messages, want 1 and 2", len(told), len(mails(t, idle)))
		}
		close(disk.lifted)
		flood.Wait()
		if n := len(mails(t, busy)); n != 200+2*copiesAtOnce {
			t.Errorf("the busy mailbox has %d messages, want %d", n, 200+2*copiesAtOnce)
		}
		if !s.busy.Idle() {
			t.Error("mailboxes are still busy")
		}
	})
}

// Who queues gives up when the transaction's time is over, leaves nothing, and is in nobody's way.
func TestBusyMailboxTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := Dest{Root: scratch(t), Path: "busy"}
		s, disk := blocked(t, "/busy/", 1)
		var first sync.WaitGroup
		first.Go(func() {
			if err := send(t, s, "first\r\n", busy)[0]; err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
		defer cancel()
		for _, commit := range []func(m *outgoing) error{
			func(m *outgoing) error {
				outcomes := make(chan error, 2)
				m.Commit(ctx, func(_ int, err error) { outcomes <- err })
				return errors.Join(<-outcomes, <-outcomes)
			},
			func(m *outgoing) error { return m.CommitAll(ctx) },
		} {
			m := begin(s)
			m.Add(busy, nil)
			m.Add(busy, nil)
			_, _ = m.Write([]byte("second\r\n"))
			if err := commit(m); !errors.Is(err, context.DeadlineExceeded) ||
				!strings.Contains(fmt.Sprint(err), "wait for other deliveries") {
				t.Errorf("outcome %v, want that of the deadline", err)
			}
		}
		close(disk.lifted)
		first.Wait()
		if err := send(t, s, "third\r\n", busy)[0]; err != nil || len(mails(t, busy)) != 2 {
			t.Errorf("third: %v, %d messages, want 2", err, len(mails(t, busy)))
		}
	})
}

// Messages that need all of several mailboxes never wait for one another in a circle.
func TestBusyMailboxesInAnyOrder(t *testing.T) {
	root := scratch(t)
	a, b := Dest{Root: root, Path: "a"}, Dest{Root: root, Path: "b"}
	s := open(t, Options{Create: true, Durability: None, PerMailbox: 1}, kernel.Linux{})
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			m := begin(s)
			for _, d := range [][]Dest{{a, b}, {b, a}, {a, a, b}, {b}}[i%4] {
				m.Add(d, nil)
			}
			_, _ = m.Write([]byte("x\r\n"))
			if err := m.CommitAll(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := len(mails(t, a)) + len(mails(t, b)); got != 80 {
		t.Errorf("%d copies, want 80", got)
	}
}
