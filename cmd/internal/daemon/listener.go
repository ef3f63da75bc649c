package daemon

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A listener is an open socket. Its connections go to one server after another: a reload changes the
// server, and the socket is never closed for it.
type listener struct {
	listen config.Listen
	socket net.Listener
	// handedAs is the name by which an upgrade hands the socket over: what systemd opened stays systemd's.
	handedAs string
	serving  *serving // the present server
}

// A serving is the time for which a listener's connections go to one server.
type serving struct {
	net.Listener
	server *lmtp.Server
	over   atomic.Bool
	ended  chan struct{}
}

// name is the address as the configuration has it.
func (l *listener) name() string { return l.listen.Network + ":" + l.listen.Address }

// handOver has server take the connections from now on. An error of the socket is sent to failed.
func (l *listener) handOver(server *lmtp.Server, failed chan<- error) error {
	if err := l.end(); err != nil {
		return err
	}
	s := &serving{Listener: l.socket, server: server, ended: make(chan struct{})}
	l.serving = s
	go func() {
		defer close(s.ended)
		err := guard.Call(func() error { return server.Serve(s) })
		guard.Report(server.Log, "listener", err)
		if err != nil && !s.over.Load() && !errors.Is(err, lmtp.ErrServerClosed) {
			failed <- fmt.Errorf("serve %s: %w", l.name(), err)
		}
	}()
	return nil
}

// server is the present one.
func (l *listener) server() *lmtp.Server {
	if l.serving == nil {
		return nil
	}
	return l.serving.server
}

// end takes no more connections; those that come wait in the kernel for the next server. The
// sessions go on.
func (l *listener) end() error {
	if l.serving == nil {
		return nil
	}
	socket, ok := l.socket.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return fmt.Errorf("%s cannot be handed over", l.name())
	}
	l.serving.over.Store(true)
	// Accept that waits ends, and Serve with it.
	if err := socket.SetDeadline(time.Unix(1, 0)); err != nil {
		return fmt.Errorf("hand over %s: %w", l.name(), err)
	}
	<-l.serving.ended
	l.serving = nil
	return socket.SetDeadline(time.Time{})
}

// Accept returns the next connection while the serving lasts.
func (s *serving) Accept() (net.Conn, error) {
	nc, err := s.Listener.Accept()
	if err != nil && s.over.Load() {
		return nil, net.ErrClosed
	}
	return nc, err
}

// Close closes the socket, unless it goes on to another server.
func (s *serving) Close() error {
	if s.over.Load() {
		return nil
	}
	return s.Listener.Close()
}
