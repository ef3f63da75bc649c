package lmtp

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// behindProxy is a server that trusts its peers to send a PROXY header.
func behindProxy(h Handler) *Server {
	return &Server{Handler: h, Peers: Peers{ProxyProtocol: true, Trusted: func(nc net.Conn) bool {
		return nc.RemoteAddr().Network() == "pipe"
	}}}
}

// binaryHeader is a header of version 2 for 192.0.2.7, port 4660.
const binaryHeader = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x19\x12\x34\x00\x18"

func TestProxyTimeout(t *testing.T) {
	for name, begun := range map[string]string{
		"PROXY-01 nothing":             "",
		"PROXY-01 part of a line":      "PROXY TCP4 192.0.2.7",
		"PROXY-01 part of a signature": "\r\n\r\n",
		"PROXY-01 part of a header":    binaryHeader[:20],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := talk(t, behindProxy(nullHandler{}))
				d.send(begun)
				since := time.Now()
				d.expectClosed() // without a greeting
				took(t, since, proxyTimeout)
			})
		})
	}
}

// A header that comes an octet at a time has no more time than another.
func TestProxyTrickle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := talk(t, behindProxy(nullHandler{}))
		since := time.Now()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for _, octet := range "PROXY TCP4 192.0.2.7 192.0.2.25 4711 24\r\n" {
				d.send(string(octet))
				time.Sleep(time.Second)
			}
		}()
		d.expectClosed()
		took(t, since, proxyTimeout)
		<-sent
	})
}

// The header has no say in how long a session may wait afterwards.
func TestProxyThenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := talk(t, behindProxy(nullHandler{}))
		d.send(binaryHeader)
		d.expect("220")
		since := time.Now()
		d.expect("421 4.4.2")
		took(t, since, 5*time.Minute)
		d.expectClosed()
	})
}

func TestProxyFromTheUntrusted(t *testing.T) {
	for name, trusted := range map[string]func(net.Conn) bool{
		"PROXY-01 untrusted peer": func(net.Conn) bool { return false },
		"PROXY-01 no trust":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			var log syncBuffer
			d := talk(t, &Server{Handler: nullHandler{}, Peers: Peers{ProxyProtocol: true, Trusted: trusted},
				Log: slog.New(slog.NewTextHandler(&log, nil))})
			d.send(binaryHeader)
			d.expectClosed()
			if !strings.Contains(log.String(), "connection refused") {
				t.Errorf("log %q", log.String())
			}
		})
	}
}

// Admit is asked about the client, and can find the proxy too.
func TestProxyAdmit(t *testing.T) {
	var seen, below net.Addr
	s := behindProxy(nullHandler{})
	s.Peers.Admit = func(nc net.Conn) (func(), error) {
		seen = nc.RemoteAddr()
		below = nc.(interface{ NetConn() net.Conn }).NetConn().RemoteAddr()
		return nil, &Error{Code: 421, Enhanced: "4.7.0", Text: "not you"}
	}
	d := talk(t, s)
	d.send(binaryHeader)
	d.expect("421 4.7.0")
	d.expectClosed()
	if seen.String() != "192.0.2.7:4660" || below.Network() != "pipe" {
		t.Errorf("Admit saw %v, below it %v", seen, below)
	}
}

// A proxy that only looks whether a server is there is no news.
func TestProxyHealthCheck(t *testing.T) {
	var log syncBuffer
	s := behindProxy(nullHandler{})
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	d := talk(t, s)
	d.hangUp()
	if log.String() != "" {
		t.Errorf("log %q", log.String())
	}
}
