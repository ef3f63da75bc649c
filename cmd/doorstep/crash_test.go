package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/client"
)

// A crowd delivers messages from many sessions at once until the server is gone, and remembers
// what it was answered.
type crowd struct {
	wg sync.WaitGroup

	mu    sync.Mutex
	acked map[string]bool // subjects that got 250
	first chan struct{}   // closed at the first few of them
}

// enough is how many deliveries there are before something happens to the server.
const enough = 50

// deliverAtOnce starts n sessions.
func deliverAtOnce(t *testing.T, dir string, n int) *crowd {
	c := &crowd{acked: map[string]bool{}, first: make(chan struct{})}
	target := "unix:" + filepath.Join(dir, "lmtp")
	for i := range n {
		c.wg.Go(func() { c.session(t.Context(), target, i) })
	}
	return c
}

// session sends one message after the other over one connection, to alice and bob by turns.
func (c *crowd) session(ctx context.Context, target string, i int) {
	conn, err := client.Dial(ctx, target, client.Options{Timeout: patience})
	if err != nil {
		return // the server is going
	}
	defer conn.Close()
	for j := 0; ; j++ {
		subject := fmt.Sprintf("message %d of session %d", j, i)
		r, err := conn.Send(ctx, client.Message{
			From: "s@example.com", To: client.To([]string{"alice", "bob"}[j%2] + "@example.org"),
			Content: strings.NewReader(message(subject)),
		})
		if r == nil {
			return
		}
		if r.Recipients[0].Delivered() {
			c.note(subject)
		}
		if err != nil || !r.Recipients[0].Delivered() {
			return
		}
	}
}

func (c *crowd) note(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acked[subject] = true
	if len(c.acked) == enough {
		close(c.first)
	}
}

// awaitFirst waits until the crowd is at work.
func (c *crowd) awaitFirst(t *testing.T) {
	t.Helper()
	select {
	case <-c.first:
	case <-time.After(patience):
		t.Fatal("there are not enough deliveries")
	}
}

// check wants every acknowledged message to be there once, and no partial one. It gives the
// number of those that are there though no client was answered.
func (c *crowd) check(t *testing.T, dir string, read func(testing.TB, string, string) map[string]string) (unknown int) {
	t.Helper()
	seen := map[string]int{}
	for _, local := range []string{"alice", "bob"} {
		for _, text := range read(t, dir, local) {
			_, rest, _ := strings.Cut(text, "\nSubject: ")
			subject, _, _ := strings.Cut(rest, "\n")
			seen[subject]++
		}
	}
	for subject := range c.acked {
		if seen[subject] != 1 {
			t.Errorf("%q was acknowledged, and is there %d times", subject, seen[subject])
		}
		delete(seen, subject)
	}
	return len(seen)
}

// TestStopAmongDeliveries is R8: SIGTERM among two hundred sessions. What gets 250 is there,
// what is there was answered, and nothing is left over.
func TestStopAmongDeliveries(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(""))
	c := deliverAtOnce(t, dir, 200)
	c.awaitFirst(t)
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	c.wg.Wait()
	if unknown := c.check(t, dir, stored); unknown > 0 {
		t.Errorf("%d messages are there though their senders were not told", unknown)
	}
	t.Logf("%d delivered", len(c.acked))
	wantGone(t, filepath.Join(dir, "lmtp"))
}

// TestKillAndRestart is R7: kill -9 among deliveries, several times. The next server takes the
// place of the dead socket, nothing acknowledged is lost, nothing partial is visible.
func TestKillAndRestart(t *testing.T) {
	dir := place(t)
	s := serveConfig(t, dir, plainConfig(""))
	for round := range 3 {
		c := deliverAtOnce(t, dir, 20)
		c.awaitFirst(t)
		s.kill()
		c.wg.Wait()
		c.check(t, dir, visible)
		t.Logf("round %d: %d delivered", round, len(c.acked))
		removeAll(t, dir)
		s = serveDir(t, dir)
	}
	session(t, dir).deliver("after all", "alice")
}
