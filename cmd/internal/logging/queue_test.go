package logging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A stalledWriter waits before each line until it is let go on.
type stalledWriter struct {
	goOn chan error
	out  bytes.Buffer
}

func (w *stalledWriter) Write(p []byte) (int, error) {
	if err := <-w.goOn; err != nil {
		return 0, err
	}
	return w.out.Write(p)
}

// TestLogQueue: who logs waits for a reader that stalls a second, once. The queue is bounded; what is lost
// is counted, and told when there is a reader again; the rest comes in order.
func TestLogQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stalledWriter{goOn: make(chan error)}
		var lost, told int
		q := newQueue(w, func() { lost++ }, func(lines int) { told += lines })
		var want strings.Builder
		const size = 1 << 10
		began := time.Now()
		for i := range maxQueued/size + 10 {
			line := fmt.Sprintf("%-*d\n", size-1, i)
			if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
			if i < maxQueued/size {
				want.WriteString(line)
			}
		}
		if waited := time.Since(began); waited != stalledAfter {
			t.Errorf("waited %v", waited)
		}
		if lost != 10 {
			t.Errorf("%d lines are lost, want 10", lost)
		}
		close(w.goOn)
		synctest.Wait()
		if w.out.String() != want.String() {
			t.Error("what was taken is not written, in order")
		}
		if told != 10 {
			t.Errorf("told of %d", told)
		}
		q.end(time.Hour)
	})
}

// TestLogQueueInTime: with a reader in time a line is written when Write returns, and after a stall
// so it is again.
func TestLogQueueInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stalledWriter{goOn: make(chan error)}
		q := newQueue(w, func() { t.Error("a line is lost") }, func(int) {})
		log := func(line string, waits bool) {
			t.Helper()
			back := make(chan struct{})
			go func() {
				defer close(back)
				_, _ = q.Write([]byte(line))
			}()
			synctest.Wait()
			select {
			case <-back:
				if waits {
					t.Errorf("%q: Write does not wait", line)
				}
			default:
				if !waits {
					t.Errorf("%q: Write waits", line)
				}
			}
		}
		log("a", true)
		w.goOn <- nil
		synctest.Wait()
		log("b", true)
		time.Sleep(stalledAfter) // in the bubble
		log("c", false)
		w.goOn <- nil // b
		synctest.Wait()
		log("d", false) // after c
		w.goOn <- nil
		w.goOn <- nil
		synctest.Wait()
		log("e", true)
		w.goOn <- nil
		q.end(time.Hour)
		if got := w.out.String(); got != "abcde" {
			t.Errorf("%q", got)
		}
	})
}

// TestLogQueueFails: a line that cannot be written is lost, and nothing else; at the end a reader that stalls is
// not waited for beyond all patience.
func TestLogQueueFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &stalledWriter{goOn: make(chan error)}
		var lost, told int
		q := newQueue(w, func() { lost++ }, func(lines int) { told += lines })
		for range 3 {
			_, _ = q.Write([]byte("x\n")) // the first waits for the stall
		}
		w.goOn <- errors.New("no space left on device")
		w.goOn <- nil
		synctest.Wait()
		if lost != 1 || told != 1 {
			t.Errorf("%d lost, told of %d", lost, told)
		}
		began := time.Now()
		q.end(lastLines)
		if waited := time.Since(began); waited != lastLines {
			t.Errorf("waited %v", waited)
		}
		_, _ = q.Write([]byte("y\n"))
		w.goOn <- nil
		synctest.Wait()
		if got := w.out.String(); got != "x\nx\n" || lost != 2 {
			t.Errorf("%q, %d lost", got, lost)
		}
	})
}

// A writer that panics now and then, as a log's handler of others might.
type explosiveWriter struct {
	mu    sync.Mutex
	lines int
}

func (w *explosiveWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines++; w.lines == 2 {
		panic("boom")
	}
	return len(p), nil
}

func TestPanicInLogWriter(t *testing.T) {
	lost := 0
	q := newQueue(&explosiveWriter{}, func() { lost++ }, func(int) { panic("boom") })
	for range 4 {
		if _, err := io.WriteString(q, "line\n"); err != nil {
			t.Error(err)
		}
	}
	q.end(time.Minute)
	if lost != 1 {
		t.Errorf("%d lines are lost, want 1", lost)
	}
}
