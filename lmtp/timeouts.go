package lmtp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// lastWords is how long a session may take to answer for its recipients once it is cut.
	lastWords = 2 * time.Second
	// maxHandshake is how long a TLS handshake may take: it is a few round trips, and a client that
	// needs longer holds a connection for nothing.
	maxHandshake = time.Minute
)

// A timedConn is the connection of a session with the time limits of its server: no read or write lasts for ever.
// Shutdown may interrupt it from another goroutine.
type timedConn struct {
	server *Server

	readBy    time.Time // when the current read must have brought something
	wholeBy   time.Time // when what is being read must be whole; zero: no such limit
	inContent bool      // what is being read is the content of a message, which has a pace
	pace      pace
	look      *time.Timer // while an outcome is waited for

	mu          sync.Mutex
	net         net.Conn  // written by the session alone
	waiting     bool      // for a command, so that a shutdown may interrupt
	interrupted bool      // by a shutdown
	commandBy   time.Time // when the command being read must be whole; zero: not waited for yet
	cutAt       time.Time // not zero: no deadline may be later
}

// await reads a line that the client owes; only there may a shutdown interrupt.
func (t *timedConn) await(read func() ([]byte, error)) ([]byte, error) {
	t.mu.Lock()
	if t.server.running.closing.Load() {
		t.interrupted = true
		t.mu.Unlock()
		return nil, os.ErrDeadlineExceeded
	}
	t.waiting = true
	t.commandBy = time.Time{}
	t.mu.Unlock()

	line, err := read()

	t.mu.Lock()
	t.waiting = false
	if err == nil {
		t.commandBy = time.Time{} // it is whole: what else is waited for is not a command
	}
	t.mu.Unlock()
	return line, err
}

// beginContent starts the time and the pace of the content of a message.
func (t *timedConn) beginContent() {
	t.wholeBy, t.inContent, t.pace = time.Now().Add(t.server.Timeouts.Transfer), true, pace{}
}

// endContent ends them with the transaction.
func (t *timedConn) endContent() { t.wholeBy, t.inContent = time.Time{}, false }

// within calls read, for which the client has so long in all, however steadily octets come.
func (t *timedConn) within(d time.Duration, read func() error) error {
	t.wholeBy = time.Now().Add(d)
	defer func() { t.wholeBy = time.Time{} }()
	return read()
}

// beforeRead sets the deadline of a read that may block.
func (t *timedConn) beforeRead() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.interrupted || t.tooSlow() {
		return os.ErrDeadlineExceeded
	}
	return t.net.SetReadDeadline(t.lookAt(t.readDeadline()))
}

// readDeadline is when the next read must have brought something. For a command it is set
// once, or a client could stretch one line for ever by an octet at a time; content must go
// on coming, and be there within a time that is set once too. t.mu is held.
func (t *timedConn) readDeadline() time.Time {
	if !t.waiting {
		return t.notAfterCut(earlier(time.Now().Add(t.server.Timeouts.Data), t.wholeBy))
	}
	if t.commandBy.IsZero() {
		t.commandBy = time.Now().Add(t.server.Timeouts.Idle)
	}
	return t.notAfterCut(earlier(t.commandBy, t.wholeBy)) // wholeBy: between two chunks
}

// Read reads what the client sends, and measures the pace of content.
func (t *timedConn) Read(p []byte) (int, error) {
	for {
		began := time.Now()
		n, err := t.net.Read(p)
		t.pace.waited += time.Since(began)
		t.pace.octets += int64(n)
		if n > 0 || err == nil || !t.goesOn(err) {
			return n, err
		}
	}
}

// Write bounds the wait for a client that does not read its replies.
func (t *timedConn) Write(p []byte) (int, error) {
	t.mu.Lock()
	err := t.net.SetWriteDeadline(t.notAfterCut(time.Now().Add(t.server.Timeouts.Idle)))
	t.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return t.net.Write(p)
}

// notAfterCut returns t, or an earlier time if the session is being cut. t.mu is held.
func (t *timedConn) notAfterCut(at time.Time) time.Time { return earlier(at, t.cutAt) }

// earlier returns t, or limit if that is earlier; a zero limit is none.
func earlier(t, limit time.Time) time.Time {
	if !limit.IsZero() && limit.Before(t) {
		return limit
	}
	return t
}

// exceeded returns the name and the value of the time limit that a read has met.
func (t *timedConn) exceeded() (limit string, value any) {
	switch {
	case t.pace.slow:
		return "min_data_rate", t.server.Limits.MinDataRate
	case t.inContent && !time.Now().Before(t.wholeBy):
		return "transfer_timeout", t.server.Timeouts.Transfer
	case !t.commandBy.IsZero():
		return "idle_timeout", t.server.Timeouts.Idle
	}
	return "data_timeout", t.server.Timeouts.Data
}

// interrupt ends the wait for a command; a session in the middle of a message goes on.
func (t *timedConn) interrupt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting {
		t.interrupted = true
		t.net.SetReadDeadline(time.Unix(1, 0)) // fails only for a connection that is closed already
	}
}

// wasInterrupted reports whether a shutdown has interrupted the session.
func (t *timedConn) wasInterrupted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.interrupted
}

// cut leaves the session lastWords to answer for its recipients and end.
func (t *timedConn) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.interrupted = true
	t.cutAt = time.Now().Add(lastWords)
	t.net.SetReadDeadline(time.Unix(1, 0)) // as in interrupt
	t.net.SetWriteDeadline(t.cutAt)
}

// startTLS puts TLS on the connection. unread has been read of the handshake already.
func (t *timedConn) startTLS(ctx context.Context, config *tls.Config, unread []byte) (tls.ConnectionState, error) {
	patience := min(maxHandshake, t.server.Timeouts.Idle)
	t.mu.Lock()
	err := t.net.SetDeadline(t.notAfterCut(time.Now().Add(patience)))
	t.mu.Unlock()
	if err != nil {
		return tls.ConnectionState{}, err
	}
	secure := tls.Server(&unreadConn{t.net, unread}, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, fmt.Errorf("TLS handshake: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.net = secure
	return secure.ConnectionState(), nil
}

// An unreadConn is a connection of which a part was read too early, with a PROXY header.
type unreadConn struct {
	net.Conn
	unread []byte
}

// NetConn returns the connection itself, as for that of proxiedConn.
func (c *unreadConn) NetConn() net.Conn { return c.Conn }

func (c *unreadConn) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		c.unread = c.unread[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}
