package lmtp

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Shutdown stops the server without cutting a delivery: listeners are closed, idle sessions
// get 421, and sessions in the middle of a message may finish it. When ctx ends first,
// recipients that still have no outcome get 451, and the connections are closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	errs := s.running.close()
	select {
	case <-s.running.empty: // also when ctx has ended before
		return errors.Join(errs...)
	default:
	}
	select {
	case <-s.running.empty:
	case <-ctx.Done():
		errs = append(errs, ctx.Err())
		s.running.cut()
	}
	return errors.Join(errs...)
}

// A registry is what a server runs: Shutdown closes it and waits for it.
type registry struct {
	work     context.Context // of what Handlers do
	stop     context.CancelFunc
	sessions guard.Group // of Serve

	closing   atomic.Bool // written with mu held
	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	inside    int           // calls of Serve, and connections from the moment they are accepted
	empty     chan struct{} // closed when the last of them leaves a closing server
}

func (r *registry) init() {
	r.work, r.stop = context.WithCancel(context.Background())
	r.listeners = make(map[net.Listener]struct{})
	r.conns = make(map[*conn]struct{})
	r.empty = make(chan struct{})
}

// close closes the listeners and interrupts the sessions that wait for a command.
func (r *registry) close() (errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.closing.Swap(true)
	for l := range r.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for c := range r.conns {
		c.nc.interrupt()
	}
	if first && r.inside == 0 {
		close(r.empty)
	}
	return errs
}

// cut ends the sessions that are left, and what Handlers do for them.
func (r *registry) cut() {
	r.stop()
	r.mu.Lock()
	for c := range r.conns {
		c.nc.cut()
	}
	r.mu.Unlock()
	select {
	case <-r.empty:
	case <-time.After(lastWords):
	}
}

// addListener reports whether the server may serve a listener: not when it closes.
func (r *registry) addListener(l net.Listener) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing.Load() {
		return false
	}
	r.listeners[l] = struct{}{}
	r.inside++
	return true
}

func (r *registry) removeListener(l net.Listener) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.listeners, l)
}

// addConn adds a session, of which there may be most, or returns the reply that refuses it.
func (r *registry) addConn(c *conn, most int) (refused Reply) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closing.Load():
		return replyShutdown
	case len(r.conns) >= most:
		c.log.Warn("connection refused", "limit", "connections", "value", most)
		return replyBusy
	}
	r.conns[c] = struct{}{}
	return Reply{}
}

func (r *registry) removeConn(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// enter counts what Shutdown waits for: also a connection that was accepted while the server closed,
// which is owed a reply.
func (r *registry) enter() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside++
}

func (r *registry) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
	if !r.closing.Load() || r.inside > 0 {
		return
	}
	select {
	case <-r.empty: // one that came after the end has been refused
	default:
		close(r.empty)
	}
}
