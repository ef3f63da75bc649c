package lmtp

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// behindProxy is a server that trusts its peers to send a PROXY header.
func behindProxy(h Handler) *Server {
	return &Server{Handler: h, ProxyProtocol: true, Trusted: func(nc net.Conn) bool {
		return nc.RemoteAddr().Network() == "pipe"
	}}
}

// binaryHeader is a header of version 2 for 192.0.2.7, with values after the addresses.
func binaryHeader(values string) []byte {
	body := "\xc0\x00\x02\x07\xc0\x00\x02\x19\x12\x34\x00\x18" + values
	h := append(bytes.Clone(proxySignature), proxyProxied, proxyTCP4)
	return append(binary.BigEndian.AppendUint16(h, uint16(len(body))), body...)
}

func TestProxyTimeout(t *testing.T) {
	for name, begun := range map[string]string{
		"PROXY-01 nothing":             "",
		"PROXY-01 part of a line":      "PROXY TCP4 192.0.2.7",
		"PROXY-01 part of a signature": "\r\n\r\n",
		"PROXY-01 part of a header":    string(binaryHeader("")[:20]),
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
		d.send(string(binaryHeader("")))
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
			d := talk(t, &Server{Handler: nullHandler{}, ProxyProtocol: true, Trusted: trusted,
				Log: slog.New(slog.NewTextHandler(&log, nil))})
			d.send(string(binaryHeader("")))
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
	s.Admit = func(nc net.Conn) (func(), error) {
		seen = nc.RemoteAddr()
		below = nc.(interface{ NetConn() net.Conn }).NetConn().RemoteAddr()
		return nil, &Error{Code: 421, Enhanced: "4.7.0", Text: "not you"}
	}
	d := talk(t, s)
	d.send(string(binaryHeader("")))
	d.expect("421 4.7.0")
	d.expectClosed()
	if seen.String() != "192.0.2.7:4660" || below.Network() != "pipe" {
		t.Errorf("Admit saw %v, below it %v", seen, below)
	}
}

// A proxy that only looks whether somebody is there is no news.
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

// FuzzProxyHeader returns the reader of headers anything, in blocks. It must never take octets
// that are not the header's, read no more than it may, and not depend on the blocks.
func FuzzProxyHeader(f *testing.F) {
	for _, line := range []string{
		"PROXY TCP4 192.0.2.7 192.0.2.25 4711 24\r\nLHLO c\r\n",
		"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n", "PROXY UNKNOWN\r\n", "PROXY UNKNOWN x\r\n",
		"PROXY TCP4 192.0.2.7 192.0.2.25 04711 24\r\n", "PROXY \r\n", "PROXY", "LHLO", "",
	} {
		f.Add([]byte(line), []byte{3})
	}
	f.Add(binaryHeader("\xea\x00\x02hi"), []byte{1})
	f.Add(binaryHeader("\x03\x00\x04\x00\x00\x00\x00"), []byte{20, 1})
	local := binaryHeader("")
	local[12] = proxyLocal
	f.Add(local, []byte{16})

	f.Fuzz(func(t *testing.T, wire, cuts []byte) {
		addr, rest, err := proxied(lmtptest.Cut(wire, cuts))
		whole, wholeRest, wholeErr := proxied([][]byte{wire})
		if (err == nil) != (wholeErr == nil) || err == nil && (rest != wholeRest || text(addr) != text(whole)) {
			t.Fatalf("%q in blocks: %v %q %v; whole: %v %q %v", wire, addr, rest, err, whole, wholeRest, wholeErr)
		}
		if err != nil {
			return
		}
		header := wire[:len(wire)-len(rest)]
		if !bytes.HasSuffix(wire, []byte(rest)) || len(header) > maxProxyHeader {
			t.Fatalf("%q: left %q", wire, rest)
		}
		if bytes.HasPrefix(header, proxySignature) {
			if want := 16 + int(binary.BigEndian.Uint16(header[14:])); len(header) != want {
				t.Fatalf("took %d octets of a header of %d", len(header), want)
			}
			return
		}
		// Version 1 has one spelling for each address but IPv6's, so it can be told again.
		line := string(header)
		if len(line) > maxProxyLine || !strings.HasPrefix(line, "PROXY ") || strings.Index(line, "\r\n") != len(line)-2 {
			t.Fatalf("took %q for a header", line)
		}
		if tcp, ok := addr.(*net.TCPAddr); ok && !strings.Contains(line, " "+strconv.Itoa(tcp.Port)+" ") {
			t.Fatalf("%q is from port %d", line, tcp.Port)
		}
	})
}

// proxied reads a header and what is left.
func proxied(blocks [][]byte) (net.Addr, string, error) {
	sent := &lmtptest.Blocks{Left: blocks}
	r := wire.NewReader(sent, func() error { return nil })
	addr, err := readProxyHeader(r)
	if err != nil {
		return nil, "", err
	}
	rest := r.Restart(nil)
	more, _ := io.ReadAll(sent)
	return addr, string(append(rest, more...)), nil
}

func text(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.Network() + a.String()
}

func TestProxyChecksum(t *testing.T) {
	header := binaryHeader("\xea\x00\x01x\x03\x00\x04\x00\x00\x00\x00")
	sum := crc32.Checksum(header, crc32.MakeTable(crc32.Castagnoli))
	for name, tt := range map[string]struct {
		sum  uint32
		good bool
	}{"PROXY-03 right": {sum, true}, "PROXY-03 wrong": {sum + 1, false}, "PROXY-03 none": {0, false}} {
		t.Run(name, func(t *testing.T) {
			h := bytes.Clone(header)
			binary.BigEndian.PutUint32(h[len(h)-4:], tt.sum)
			if _, _, err := proxied([][]byte{h}); (err == nil) != tt.good {
				t.Error(err)
			}
		})
	}
}
