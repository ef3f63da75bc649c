package lmtp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
)

// The PROXY protocol of HAProxy tells a server behind a load balancer whom it serves. On a
// listener that has it the header must come, whole and first: who could leave it out could
// also make it up. It is read by the session itself, out of the same buffer as the commands
// after it, so that a slow one holds up nobody else and no octet is lost.

const (
	// proxyTimeout is how long a header may take; the specification asks for 3 seconds or
	// more, for a lost segment.
	proxyTimeout = 10 * time.Second
	// maxProxyLine is the longest header of version 1, CRLF included.
	maxProxyLine = 107
	// maxProxyHeader bounds one of version 2, which could announce 64 KiB.
	maxProxyHeader = wire.MaxLine
)

// proxySignature begins every header of version 2: no command line does.
var proxySignature = []byte("\r\n\r\n\x00\r\nQUIT\n")

var (
	errNoProxy  = errors.New("no PROXY header")
	errBadProxy = errors.New("bad PROXY header")
)

// A proxiedConn is a connection as the proxy's client made it.
type proxiedConn struct {
	net.Conn
	remote net.Addr
}

func (c proxiedConn) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the connection to the proxy itself, as tls.Conn gives what is below it.
func (c proxiedConn) NetConn() net.Conn { return c.Conn }

// meet finds out who the client is, and gives the connection as it is to be seen: with the
// address from the PROXY header, where one is demanded and names one. A proxy is trusted to
// send the header; that does not make everybody after it trusted with anything else.
func (c *conn) meet() (net.Conn, error) {
	if !c.server.ProxyProtocol {
		return c.nc.net, nil
	}
	if !c.session.Trusted {
		return nil, errors.New("a peer that is not trusted to send a PROXY header")
	}
	var remote net.Addr
	err := c.nc.within(proxyTimeout, func() error {
		return guard.Call(func() (err error) {
			remote, err = readProxyHeader(c.in)
			return err
		})
	})
	if err != nil || remote == nil {
		return c.nc.net, err
	}
	client := proxiedConn{c.nc.net, remote}
	c.session.Remote = remote
	c.log = c.logger()
	c.session.Trusted = c.server.Trusted(client)
	return client, nil
}

// readProxyHeader reads a header of either version. A nil address is the peer's own.
func readProxyHeader(r *wire.Reader) (net.Addr, error) {
	for n := 1; ; n++ {
		head, err := r.Peek(n)
		if err != nil {
			return nil, err
		}
		switch {
		case bytes.Equal(head, proxySignature):
			return readProxyBinary(r)
		case string(head) == "PROXY ":
			return readProxyLine(r)
		case !bytes.HasPrefix(proxySignature, head) && !strings.HasPrefix("PROXY ", string(head)):
			return nil, errNoProxy
		}
	}
}

// readProxyLine reads version 1, a line.
func readProxyLine(r *wire.Reader) (net.Addr, error) {
	for n := len("PROXY "); n <= maxProxyLine; n++ {
		line, err := r.Peek(n)
		if err != nil {
			return nil, err
		}
		if line[n-1] == '\n' {
			r.Discard(n)
			text, ended := strings.CutSuffix(string(line), "\r\n")
			if !ended {
				return nil, errBadProxy
			}
			return parseProxyLine(text)
		}
	}
	return nil, fmt.Errorf("%w: longer than %d octets", errBadProxy, maxProxyLine)
}

// parseProxyLine: "PROXY" SP ("TCP4" / "TCP6") SP source SP destination SP source-port SP
// destination-port, or "PROXY" SP "UNKNOWN" and anything.
func parseProxyLine(line string) (net.Addr, error) {
	field := strings.Split(line, " ")
	if field[1] == "UNKNOWN" {
		return nil, nil
	}
	if len(field) != 6 {
		return nil, errBadProxy
	}
	source, ok1 := parseProxyAddr(field[1], field[2], field[4])
	_, ok2 := parseProxyAddr(field[1], field[3], field[5])
	if !ok1 || !ok2 {
		return nil, errBadProxy
	}
	return net.TCPAddrFromAddrPort(source), nil
}

func parseProxyAddr(family, addr, port string) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(addr)
	if err != nil || ip.Zone() != "" || !(family == "TCP4" && ip.Is4() || family == "TCP6" && ip.Is6()) {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port { // neither sign nor leading zero
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip, uint16(n)), true
}

// readProxyBinary reads version 2: signature, version and command, family, length, and as
// much as that says.
func readProxyBinary(r *wire.Reader) (net.Addr, error) {
	const fixed = 16
	head, err := r.Peek(fixed)
	if err != nil {
		return nil, err
	}
	size := fixed + int(binary.BigEndian.Uint16(head[14:]))
	if size > maxProxyHeader {
		return nil, fmt.Errorf("%w: longer than %d octets", errBadProxy, maxProxyHeader)
	}
	header, err := r.Peek(size)
	if err != nil {
		return nil, err
	}
	r.Discard(size)
	return parseProxyBinary(header, header[fixed:])
}

// What version 2 puts after its signature: version and command, then family and transport.
const (
	proxyLocal   = 0x20
	proxyProxied = 0x21

	proxyUnspecified  = 0x00
	proxyTCP4         = 0x11
	proxyUDP4         = 0x12
	proxyTCP6         = 0x21
	proxyUDP6         = 0x22
	proxyUnixStream   = 0x31
	proxyUnixDatagram = 0x32
)

// parseProxyBinary understands a header that is there as a whole; body is what is after its
// length.
func parseProxyBinary(header, body []byte) (net.Addr, error) {
	command, family := header[12], header[13]
	if command == proxyLocal { // the proxy itself, to see whether we live
		return nil, nil
	}
	size, known := map[byte]int{
		proxyUnspecified: 0, proxyTCP4: 12, proxyUDP4: 12, proxyTCP6: 36, proxyUDP6: 36,
		proxyUnixStream: 216, proxyUnixDatagram: 216,
	}[family]
	if command != proxyProxied || !known || len(body) < size {
		return nil, errBadProxy
	}
	if family == proxyUnspecified {
		return nil, nil
	}
	if err := checkProxyValues(header, body[size:]); err != nil {
		return nil, err
	}
	switch family {
	case proxyTCP4, proxyUDP4:
		ip, port := netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:])
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, port)), nil
	case proxyTCP6, proxyUDP6:
		ip, port := netip.AddrFrom16([16]byte(body)), binary.BigEndian.Uint16(body[32:])
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), port)), nil
	}
	return &net.UnixAddr{Net: "unix"}, nil
}

// proxyCRC is the type of the value that holds the CRC-32C of the header.
const proxyCRC = 0x03

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkProxyValues goes through the values after the addresses, each a type, a length and
// octets. Only the checksum has a meaning here.
func checkProxyValues(header, values []byte) error {
	for len(values) > 0 {
		if len(values) < 3 {
			return errBadProxy
		}
		kind, size := values[0], int(binary.BigEndian.Uint16(values[1:]))
		values = values[3:]
		if len(values) < size {
			return errBadProxy
		}
		if kind == proxyCRC && !proxySumIsRight(header, values[:size]) {
			return fmt.Errorf("%w: wrong checksum", errBadProxy)
		}
		values = values[size:]
	}
	return nil
}

// proxySumIsRight compares sum, which is part of header, with that of the header with zeros
// in its place.
func proxySumIsRight(header, sum []byte) bool {
	if len(sum) != 4 {
		return false
	}
	said := binary.BigEndian.Uint32(sum)
	clear(sum)
	return crc32.Checksum(header, castagnoli) == said
}
