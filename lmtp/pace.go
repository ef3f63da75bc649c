package lmtp

import (
	"errors"
	"os"
	"time"
)

const (
	// paceGrace is how long the server waits for a client beyond the time that its octets have earned.
	paceGrace = 30 * time.Second
	// paceLook is how often a session that is too slow asks whether connections have become scarce.
	paceLook = 5 * time.Second
)

// A pace is how fast content comes: clients that trickle it could hold every connection for TransferTimeout each. Only
// the time in which the server waits for the client counts, as a slow disk of the server is not the client's fault.
type pace struct {
	octets int64         // that have come since the content began
	waited time.Duration // for the client, since then
	slow   bool          // the client is too slow, and the session ends
}

// A pacedReader reads from the connection, and measures the pace.
type pacedReader struct{ c *conn }

func (r pacedReader) Read(p []byte) (int, error) {
	for {
		began := time.Now()
		n, err := r.c.net.Read(p)
		r.c.pace.waited += time.Since(began)
		r.c.pace.octets += int64(n)
		if n > 0 || err == nil || !r.c.goesOn(err) {
			return n, err
		}
	}
}

// beginPace notes that content begins.
func (c *conn) beginPace() { c.pace = pace{} }

// isPaced reports whether the session waits for content, and content must have a rate.
func (c *conn) isPaced() bool {
	return c.server.MinDataRate > 0 && c.server.Scarce != nil && c.state >= stateMail && !c.tx.wholeBy.IsZero()
}

// credit is how long the server still waits for the client before it is too slow.
func (c *conn) credit() time.Duration {
	seconds := float64(c.pace.octets) / float64(c.server.MinDataRate)
	earned := time.Duration(min(seconds, (24*time.Hour).Seconds()) * float64(time.Second))
	return paceGrace + earned - c.pace.waited
}

// tooSlow reports whether the session is to end for its pace. It asks Scarce with c.mu held.
func (c *conn) tooSlow() bool {
	c.pace.slow = c.isPaced() && c.credit() <= 0 && c.server.Scarce()
	return c.pace.slow
}

// lookAt is the deadline of a read that may last until t: an earlier time, if the client may be too slow by then.
// c.mu is held.
func (c *conn) lookAt(t time.Time) time.Time {
	c.readBy = t
	if !c.isPaced() {
		return t
	}
	wait := c.credit()
	if wait <= 0 {
		wait = paceLook
	}
	return earlier(t, time.Now().Add(wait))
}

// goesOn reports whether a read that failed with err is to be repeated: it met the deadline of lookAt, and the client
// is not too slow, or connections are not scarce. A deadline leaves a TLS connection readable.
func (c *conn) goesOn(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !c.isPaced() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted || !time.Now().Before(c.readBy) || c.tooSlow() {
		return false
	}
	return c.net.SetReadDeadline(c.lookAt(c.readBy)) == nil
}
