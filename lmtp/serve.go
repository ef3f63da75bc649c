package lmtp

import (
	"errors"
	"log/slog"
	"net"
	"sync"
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
	if s.invalid != nil {
		return errors.Join(s.invalid, l.Close())
	}
	if !s.running.addListener(l) {
		l.Close()
		return ErrServerClosed
	}
	defer s.removeListener(l)

	arriving := make(chan struct{}, maxArriving)
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.running.enter()
			arriving <- struct{}{}
			arrived := sync.OnceFunc(func() { <-arriving })
			s.running.sessions.Go(func() {
				defer s.running.leave()
				defer arrived()
				guard.Run(s.Log, "session", func() { s.serveConn(nc, arrived) })
			})
			continue
		}
		if s.running.closing.Load() {
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
		case <-s.running.work.Done():
		}
	}
}

// maxArriving is how many connections of a listener may be between Accept and the answer whether they are admitted: a
// flood of those that are not would take all descriptors, and leave none to deliver with.
const maxArriving = 8

// Wait returns when all sessions that Serve began have ended, by themselves or by Shutdown. Call it
// when Serve has returned. A listener that reports net.ErrClosed while its socket lives on makes
// Serve return and leaves the sessions alone: so another Server can take the next connections.
func (s *Server) Wait() { s.running.sessions.Wait() }

// ServeConn serves one connection and returns when its session has ended. It closes nc.
func (s *Server) ServeConn(nc net.Conn) {
	s.init()
	s.running.enter()
	defer s.running.leave()
	s.serveConn(nc, func() {})
}

// serveConn calls arrived when the connection is admitted, or when it waits for a PROXY header among those that
// MaxConnections bounds.
func (s *Server) serveConn(nc net.Conn, arrived func()) {
	var c *conn
	defer func() {
		if c == nil { // what was asked about the client panicked
			nc.Close()
			return
		}
		// The peer may have gone first.
		if err := c.nc.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			c.log.Debug("close connection", "error", err)
		}
	}()
	c = newConn(s, nc)
	if refused := s.running.addConn(c, s.Limits.Connections); refused.Code != 0 {
		c.refuse(refused)
		return
	}
	defer s.running.removeConn(c)
	if s.Peers.ProxyProtocol {
		arrived()
	}
	client, err := c.meet()
	switch {
	case isGone(err), isReset(err): // a health check of the proxy
		c.log.Debug("connection closed before its PROXY header")
		return
	case err != nil:
		c.log.Warn("connection refused", "rule", "proxy_protocol", "error", err)
		return
	}
	if s.Peers.Admit != nil {
		release, err := s.admit(client, c.log)
		if err != nil {
			c.log.Warn("connection refused", "rule", RuleOf(err), "error", err)
			c.refuse(greetingOf(refusal(err, c.session.ID)))
			return
		}
		defer release()
	}
	arrived()
	c.serve()
}

// removeListener closes a listener, unless Shutdown has.
func (s *Server) removeListener(l net.Listener) {
	defer s.running.leave()
	s.running.removeListener(l)
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		s.Log.Error("close listener", "error", err)
	}
}

// admit asks Peers.Admit about a client. A panic in it, or in the function that it returns, costs this connection
// only.
func (s *Server) admit(client net.Conn, log *slog.Logger) (release func(), err error) {
	var admitted func()
	err = guard.Call(func() (err error) {
		admitted, err = s.Peers.Admit(client)
		return err
	})
	return func() {
		if admitted != nil {
			guard.Run(log, "listener", admitted)
		}
	}, err
}

// greetingOf makes a greeting of a refusal: 421 and 554 are the only ones there are
// (RFC 5321 §3.1, §4.3.2).
func greetingOf(r Reply) Reply {
	if r.Code < 500 {
		r.Code = 421
	} else {
		r.Code = 554
	}
	return r
}
