package admin

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
)

// maxConnections is how many clients may be connected at once.
const maxConnections = 64

// A crowd bounds how many clients are connected. One more takes the place of the one that has waited longest without a
// request that is being answered: connections that are kept alive, or that say nothing, must not keep out a probe of
// the server. Where all others are being answered, the newcomer is closed.
type crowd struct {
	mu      sync.Mutex
	all     int        // that are open
	waiting []net.Conn // without a whole request, who has waited longest first
}

// note is http.Server.ConnState.
func (c *crowd) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.all++
		c.waiting = append(c.waiting, conn)
	case http.StateIdle:
		c.waiting = append(c.waiting, conn)
	case http.StateClosed, http.StateHijacked:
		c.all--
		c.forget(conn)
	}
	// Those that are closed here are counted until the server has noticed.
	if state == http.StateNew && c.all > maxConnections && len(c.waiting) > 0 {
		oldest := c.waiting[0]
		c.waiting = c.waiting[1:]
		_ = oldest.Close() // it is cut off
	}
}

// answering has next answer, and counts the client as busy meanwhile.
func (c *crowd) answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			c.mu.Lock()
			c.forget(conn)
			c.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

// forget takes a connection from those that wait. c.mu is held.
func (c *crowd) forget(conn net.Conn) {
	c.waiting = slices.DeleteFunc(c.waiting, func(other net.Conn) bool { return other == conn })
}

type connKey struct{}

// nameConn is http.Server.ConnContext: a request knows its connection.
func nameConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}
