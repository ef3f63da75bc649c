package peer

import (
	"net"
	"os/exec"
	"path/filepath"
	"testing"
)

// An HAProxyConfig is what is different between two of them.
type HAProxyConfig struct {
	// Server is where connections go, host:port.
	Server string
	// Send is how the header is sent, such as "send-proxy" or "send-proxy-v2".
	Send string
}

// An HAProxy is a running HAProxy that passes TCP on, with the PROXY header before it.
type HAProxy struct {
	*Process
	Addr string // host:port
}

// StartHAProxy runs HAProxy and waits until it listens.
func StartHAProxy(tb testing.TB, c HAProxyConfig) *HAProxy {
	tb.Helper()
	Need(tb, "haproxy")
	program, err := look("haproxy")
	if err != nil {
		tb.Fatal(err)
	}
	h := &HAProxy{Addr: net.JoinHostPort("127.0.0.1", FreePort(tb))}
	file := filepath.Join(Dir(tb), "haproxy.cfg")
	write(tb, file,
		"global", " maxconn 100",
		"defaults", " mode tcp", " timeout connect 10s", " timeout client 60s", " timeout server 60s",
		"listen mail", " bind "+h.Addr, " server doorstep "+c.Server+" "+c.Send)
	h.Process = Start(tb, exec.Command(program, "-db", "-f", file))
	AwaitListener(tb, h.Process, "tcp", h.Addr)
	return h
}
