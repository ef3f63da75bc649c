package lmtp

import (
	"net"
	"sync"
)

// A pipeListener is a net.Listener of connections that a test makes.
type pipeListener struct {
	queue  chan accepted
	closed chan struct{}
	once   sync.Once
}

type accepted struct {
	nc  net.Conn
	err error
}

func newPipeListener() *pipeListener {
	return &pipeListener{queue: make(chan accepted), closed: make(chan struct{})}
}

// dial connects, when the listener is ready to accept.
func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.queue <- accepted{nc: server}
	return client
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case a := <-l.queue:
		return a.nc, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() { close(l.closed); err = nil })
	return err
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
