package proxyproto

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/doorstep-mail/doorstep/lmtp/internal/wire"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// binaryHeader is a header of version 2 for 192.0.2.7, with values after the addresses.
func binaryHeader(values string) []byte {
	body := "\xc0\x00\x02\x07\xc0\x00\x02\x19\x12\x34\x00\x18" + values
	h := append(bytes.Clone(signature), commandProxy, familyTCP4)
	return append(binary.BigEndian.AppendUint16(h, uint16(len(body))), body...)
}

// FuzzProxyHeader reads anything, in blocks. Read must never take octets that are not the header's, read no more than
// it may, and not depend on the blocks.
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
	local[12] = commandLocal
	f.Add(local, []byte{16})

	f.Fuzz(func(t *testing.T, sent, cuts []byte) {
		addr, rest, err := proxied(lmtptest.Cut(sent, cuts))
		whole, wholeRest, wholeErr := proxied([][]byte{sent})
		if (err == nil) != (wholeErr == nil) || err == nil && (rest != wholeRest || text(addr) != text(whole)) {
			t.Fatalf("%q in blocks: %v %q %v; whole: %v %q %v", sent, addr, rest, err, whole, wholeRest, wholeErr)
		}
		if err != nil {
			return
		}
		header := sent[:len(sent)-len(rest)]
		if !bytes.HasSuffix(sent, []byte(rest)) || len(header) > maxHeader {
			t.Fatalf("%q: left %q", sent, rest)
		}
		if bytes.HasPrefix(header, signature) {
			if want := 16 + int(binary.BigEndian.Uint16(header[14:])); len(header) != want {
				t.Fatalf("took %d octets of a header of %d", len(header), want)
			}
			return
		}
		// Version 1 has one spelling for each address but IPv6's, so its port can be found in it.
		line := string(header)
		if len(line) > maxLine || !strings.HasPrefix(line, "PROXY ") || strings.Index(line, "\r\n") != len(line)-2 {
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
	addr, err := Read(r)
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

func TestChecksum(t *testing.T) {
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
