package lmtp

import (
	"errors"
	"net"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/internal/proxyproto"
)

// The PROXY protocol tells a server for whom a load balancer connects. On a listener that has it the header must come,
// whole and first: a client that could leave it out could also make it up. It is read by the session itself, out of the
// same buffer as the commands that follow it, so that a slow one holds up no other and no octet is lost.

// proxyTimeout is how long a header may take; the specification asks for 3 seconds or more, for a lost segment.
const proxyTimeout = 10 * time.Second

// A proxiedConn is a connection with the address of the proxy's client.
type proxiedConn struct {
	net.Conn
	remote net.Addr
}

func (c proxiedConn) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the connection to the proxy itself, as the method of tls.Conn returns the connection below TLS.
func (c proxiedConn) NetConn() net.Conn { return c.Conn }

// meet returns the connection with the address of its client: that of the PROXY header, if the listener demands one
// and it names an address. A proxy is trusted to send the header; its clients are trusted with nothing for that.
func (c *conn) meet() (net.Conn, error) {
	if !c.server.Peers.ProxyProtocol {
		return c.nc.net, nil
	}
	if !c.session.Trusted {
		return nil, errors.New("a peer that is not trusted to send a PROXY header")
	}
	var remote net.Addr
	err := c.nc.within(proxyTimeout, func() error {
		return guard.Call(func() (err error) {
			remote, err = proxyproto.Read(c.in)
			return err
		})
	})
	if err != nil || remote == nil {
		return c.nc.net, err
	}
	client := proxiedConn{c.nc.net, remote}
	c.session.Remote = remote
	c.log = c.server.logOf(c.session)
	c.session.Trusted = c.server.Peers.Trusted(client)
	return client, nil
}
