package lmtp

import (
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// lookAfter is how long an outcome is waited for before a look whether the client is still there.
const lookAfter = time.Second

// ErrClientGone is the cause for which the context of a Commit ends when the client has gone
// (context.Cause).
var ErrClientGone = fmt.Errorf("client has gone before it was answered: %w", io.EOF)

// lookTimer begins the wait before a look. A session has one timer, whatever it waits for.
func (t *timedConn) lookTimer() *time.Timer {
	if t.look == nil {
		t.look = time.NewTimer(lookAfter)
	} else {
		t.look.Reset(lookAfter)
	}
	return t.look
}

// isGone reports whether the client has closed the connection for good. One that only has nothing more to say, and
// waits for its replies, has not. Over TCP the two look the same until the client resets the connection.
func (t *timedConn) isGone() bool {
	nc := t.net
	for {
		above, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		nc = above.NetConn()
	}
	socket, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	err = raw.Control(func(fd uintptr) { gone = hungUp(fd) })
	return err == nil && gone
}
