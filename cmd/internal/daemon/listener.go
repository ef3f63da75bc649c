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
	shift    *shift // the present one
	failed   chan<- error
}

// A shift is the time for which a door's connections go to one server.
type shift struct {
	net.Listener
	server *lmtp.Server
	over   atomic.Bool
	ended  chan struct{}
}

// name is the door's address as the configuration has it.
func (d *listener) name() string { return d.listen.Network + ":" + d.listen.Address }

// begin returns the connections from now on to server. An error of the socket is reported to d.failed.
func (d *listener) begin(server *lmtp.Server) {
	s := &shift{Listener: d.socket, server: server, ended: make(chan struct{})}
	d.shift = s
	go func() {
		defer close(s.ended)
		err := guard.Call(func() error { return server.Serve(s) })
		guard.Report(server.Log, "listener", err)
		if err != nil && !s.over.Load() && !errors.Is(err, lmtp.ErrServerClosed) {
			d.failed <- fmt.Errorf("serve %s: %w", d.name(), err)
		}
	}()
}

// server is the present one.
func (d *listener) server() *lmtp.Server {
	if d.shift == nil {
		return nil
	}
	return d.shift.server
}

// end takes no more connections; those that come wait in the kernel for the next shift. The
// server's sessions go on.
func (d *listener) end() error {
	if d.shift == nil {
		return nil
	}
	socket, ok := d.socket.(interface{ SetDeadline(time.Time) error })
	if !ok {
		return fmt.Errorf("%s cannot be handed over", d.name())
	}
	d.shift.over.Store(true)
	// Accept that waits ends, and Serve with it.
	if err := socket.SetDeadline(time.Unix(1, 0)); err != nil {
		return fmt.Errorf("hand over %s: %w", d.name(), err)
	}
	<-d.shift.ended
	d.shift = nil
	return socket.SetDeadline(time.Time{})
}

// Accept returns the next connection while the shift lasts.
func (s *shift) Accept() (net.Conn, error) {
	nc, err := s.Listener.Accept()
	if err != nil && s.over.Load() {
		return nil, net.ErrClosed
	}
	return nc, err
}

// Close closes the socket, unless it goes on to another shift.
func (s *shift) Close() error {
	if s.over.Load() {
		return nil
	}
	return s.Listener.Close()
}
