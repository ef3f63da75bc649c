package lmtp

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Serve takes connections from l until Shutdown, and then returns ErrServerClosed. It may be
// called for several listeners. It closes l.
func (s *Server) Serve(l net.Listener) error {
	s.init()
	if s.Handler == nil {
		return errors.New("lmtp: server without a Handler")
	}
	if s.broken != nil {
		return errors.Join(s.broken, l.Close())
	}
	if !s.addListener(l) {
		l.Close()
		return ErrServerClosed
	}
	defer s.removeListener(l)

	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.enter()
			s.sessions.Go(func() {
				defer s.leave()
				guard.Run(s.Log, "session", func() { s.serveConn(nc) })
			})
			continue
		}
		if s.closing.Load() {
			return ErrServerClosed
		}
		// Out of descriptors or memory: the sessions that run will give some back, so wait
		// rather than spin, and rather than end (net/http does the same).
		if temporary, ok := err.(interface{ Temporary() bool }); !ok || !temporary.Temporary() {
			return err
		}
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.Log.Error("accept", "listener", l.Addr().String(), "error", err, "retry", pause)
		select {
		case <-time.After(pause):
		case <-s.work.Done():
		}
	}
}

// Wait returns when all sessions that Serve began have ended, by themselves or by Shutdown. Call it
// when Serve has returned. A listener that reports net.ErrClosed while its socket lives on makes
// Serve return and leaves the sessions alone: so another Server can take the next connections.
func (s *Server) Wait() { s.sessions.Wait() }

// ServeConn serves one connection and returns when its session has ended. It closes nc.
func (s *Server) ServeConn(nc net.Conn) {
	s.init()
	s.enter()
	defer s.leave()
	s.serveConn(nc)
}

func (s *Server) serveConn(nc net.Conn) {
	var c *conn
	defer func() {
		if c == nil { // what was asked about the client panicked
			nc.Close()
			return
		}
		// The peer may have gone first; there is nobody left to tell.
		if err := c.nc.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			c.log.Debug("close connection", "error", err)
		}
	}()
	c = newConn(s, nc)
	if refused, ok := s.addConn(c); !ok {
		c.refuse(refused)
		return
	}
	defer s.removeConn(c)
	client, err := c.meet()
	switch {
	case isGone(err): // a proxy that only looks whether somebody is there
		c.log.Debug("connection closed before its PROXY header")
		return
	case err != nil:
		c.log.Warn("connection refused", "rule", "proxy_protocol", "error", err)
		return
	}
	if s.Admit != nil {
		release, err := s.admit(client, c.log)
		if err != nil {
			c.log.Warn("connection refused", "rule", RuleOf(err), "error", err)
			c.refuse(greetingOf(refusal(err, c.session.ID)))
			return
		}
		defer release()
	}
	c.serve()
}

// Shutdown stops the server without cutting a delivery: listeners are closed, idle sessions
// get 421, and sessions in the middle of a message may finish it. When ctx ends first,
// recipients that still have no outcome get 451, and the connections are closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	s.mu.Lock()
	first := !s.closing.Swap(true)
	var errs []error
	for l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	for c := range s.conns {
		c.nc.interrupt()
	}
	if first && s.inside == 0 {
		close(s.empty)
	}
	s.mu.Unlock()

	select {
	case <-s.empty: // also when ctx has ended before
		return errors.Join(errs...)
	default:
	}
	select {
	case <-s.empty:
	case <-ctx.Done():
		errs = append(errs, ctx.Err())
		s.stop()
		s.cut()
	}
	return errors.Join(errs...)
}

// cut ends the sessions that outlived Shutdown's patience.
func (s *Server) cut() {
	s.mu.Lock()
	for c := range s.conns {
		c.nc.cut()
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
	case <-time.After(lastWords):
	}
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.listeners[l] = struct{}{}
	s.inside++
	return true
}

func (s *Server) removeListener(l net.Listener) {
	defer s.leave()
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.Log.Error("close listener", "error", err)
	}
}

// addConn counts a session in, or says why it cannot be.
func (s *Server) addConn(c *conn) (refused Reply, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing.Load():
		return replyShutdown, false
	case len(s.conns) >= s.MaxConnections:
		c.log.Warn("connection refused", "limit", "connections", "value", s.MaxConnections)
		return replyBusy, false
	}
	s.conns[c] = struct{}{}
	return Reply{}, true
}

func (s *Server) removeConn(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// enter counts in what Shutdown waits for: also a connection that was accepted while the server closed,
// which is owed a reply.
func (s *Server) enter() {
	s.mu.Lock()
	s.inside++
	s.mu.Unlock()
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	if !s.closing.Load() || s.inside > 0 {
		return
	}
	select {
	case <-s.empty: // one that came after the end has been refused
	default:
		close(s.empty)
	}
}
