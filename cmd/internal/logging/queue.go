package logging

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

const (
	// maxQueued bounds the octets that wait for a reader of the log: some thousand lines.
	maxQueued = 1 << 20
	// stalledAfter is how long a line may take before no one waits for lines any more.
	stalledAfter = time.Second
)

// A queue stands between those who log and a writer that may wait: a pipe whose reader has stalled, a
// terminal that was stopped. As long as lines are written in time, who logs waits for the line, which is
// therefore there before the reply that it reports. When one takes too long no one waits until all that
// were taken are written; what does not fit meanwhile is lost, and so is what cannot be written.
type queue struct {
	w io.Writer
	// lost is called with each line that is lost, and found of how many there were when one is written again.
	lost  func()
	found func(lines int)

	mu      sync.Mutex
	changed *sync.Cond
	lines   [][]byte
	octets  int
	taken   int  // lines ever
	done    int  // of them, those written or lost
	lagging bool // writing lags, and no one waits
	missing int  // lines lost since one was written
	closed  bool
	ended   chan struct{}
}

func newQueue(w io.Writer, lost func(), found func(lines int)) *queue {
	q := &queue{w: w, lost: lost, found: found, ended: make(chan struct{})}
	q.changed = sync.NewCond(&q.mu)
	go q.run()
	return q
}

// Write takes a line, and never fails.
func (q *queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.octets+len(line) > maxQueued {
		q.miss()
		return len(line), nil
	}
	q.lines = append(q.lines, bytes.Clone(line)) // slog uses it again
	q.octets += len(line)
	q.taken++
	q.changed.Broadcast()
	for mine := q.taken; q.done < mine && !q.lagging; {
		q.changed.Wait()
	}
	return len(line), nil
}

// miss counts a line that is lost. q.mu is held.
func (q *queue) miss() {
	q.missing++
	q.lost()
}

// run writes lines until the queue is closed and empty.
func (q *queue) run() {
	defer close(q.ended)
	stall := time.AfterFunc(stalledAfter, q.fallBehind)
	stall.Stop()
	for {
		line, ok := q.next()
		if !ok {
			return
		}
		stall.Reset(stalledAfter)
		err := guard.Call(func() error { // a line whose writer panics is one that could not be written
			_, err := q.w.Write(line)
			return err
		})
		stall.Stop()
		if missing := q.wrote(len(line), err); missing > 0 {
			go func() { // which will log; its panic could be logged nowhere else
				_ = guard.Call(func() error { q.found(missing); return nil })
			}()
		}
	}
}

func (q *queue) fallBehind() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lagging = true
	q.changed.Broadcast()
}

// next waits for a line; ok is false when there will be none.
func (q *queue) next() (line []byte, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 {
		if q.closed {
			return nil, false
		}
		q.changed.Wait()
	}
	line, q.lines = q.lines[0], q.lines[1:]
	return line, true
}

// wrote counts a line out, and returns how many were lost before it.
func (q *queue) wrote(octets int, err error) (missing int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.octets -= octets
	q.done++
	if len(q.lines) == 0 {
		q.lagging = false
		q.lines = nil // frees what a long queue needed
	}
	q.changed.Broadcast()
	if err != nil {
		q.miss()
		return 0
	}
	missing, q.missing = q.missing, 0
	return missing
}

// end takes no more lines, and waits until those that were taken are written, for so long at most.
func (q *queue) end(patience time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.changed.Broadcast()
	q.mu.Unlock()
	select {
	case <-q.ended:
	case <-time.After(patience):
	}
}
