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

// A pace is how fast content comes: clients that trickle it could hold every connection for Timeouts.Transfer each.
// Only the time in which the server waits for the client counts, as a slow disk of the server is not the client's
// fault.
type pace struct {
	octets int64         // that have come since the content began
	waited time.Duration // for the client, since then
	slow   bool          // the client is too slow, and the session ends
}

// credit is how long the server still waits for a client that must send rate octets a second.
func (p *pace) credit(rate int) time.Duration {
	seconds := float64(p.octets) / float64(rate)
	earned := time.Duration(min(seconds, (24*time.Hour).Seconds()) * float64(time.Second))
	return paceGrace + earned - p.waited
}

// isPaced reports whether what is being read must have a rate.
func (t *timedConn) isPaced() bool {
	return t.inContent && t.server.Limits.MinDataRate > 0 && t.server.Limits.Scarce != nil
}

// tooSlow reports whether the session is to end for its pace. It asks Scarce with t.mu held.
func (t *timedConn) tooSlow() bool {
	t.pace.slow = t.isPaced() && t.pace.credit(t.server.Limits.MinDataRate) <= 0 && t.server.Limits.Scarce()
	return t.pace.slow
}

// lookAt is the deadline of a read that may last until at: an earlier time, if the client may be too slow by then.
// t.mu is held.
func (t *timedConn) lookAt(at time.Time) time.Time {
	t.readBy = at
	if !t.isPaced() {
		return at
	}
	wait := t.pace.credit(t.server.Limits.MinDataRate)
	if wait <= 0 {
		wait = paceLook
	}
	return earlier(at, time.Now().Add(wait))
}

// goesOn reports whether a read that failed with err is to be repeated: it met the deadline of lookAt, and the client
// is not too slow, or connections are not scarce. A deadline leaves a TLS connection readable.
func (t *timedConn) goesOn(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !t.isPaced() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.interrupted || !time.Now().Before(t.readBy) || t.tooSlow() {
		return false
	}
	return t.net.SetReadDeadline(t.lookAt(t.readBy)) == nil
}
