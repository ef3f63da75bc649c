package daemon

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// A fakeConn is a connection of which only the peer matters.
type fakeConn struct {
	net.Conn
	from string
}

func (c fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}

func TestAdmissionCountsConnections(t *testing.T) {
	g := &Admission{limit: 3, perPeer: 2}
	admit, err := g.admit(config.Listen{Network: "tcp"})
	if err != nil {
		t.Fatal(err)
	}
	enter := func(from string, want bool) func() {
		t.Helper()
		leave, err := admit(fakeConn{from: from})
		if (err == nil) != want {
			t.Fatalf("%s: %v", from, err)
		}
		var refused *lmtp.Error
		if err != nil && (!errors.As(err, &refused) || refused.Code != 421 || refused.Cause == nil) {
			t.Fatalf("%s: refused with %v, want 421 and which limit it is", from, err)
		}
		return leave
	}
	first := enter("192.0.2.1:1", true)
	enter("[::ffff:192.0.2.1]:2", true) // the same, on a socket of IPv6
	enter("192.0.2.1:3", false)
	other := enter("192.0.2.2:1", true)
	enter("192.0.2.3:1", false) // the limit of all
	first()
	enter("192.0.2.1:4", true)
	enter("192.0.2.1:5", false)
	other()
	if g.open != 2 || len(g.peers) != 1 {
		t.Errorf("%d open, peers %v; want nothing left of those who have gone", g.open, g.peers)
	}
}

// One machine has a whole network of IPv6 to connect from.
func TestAdmissionCountsNetworksOfIPv6(t *testing.T) {
	g := &Admission{limit: 100, perPeer: 2}
	admit, err := g.admit(config.Listen{Network: "tcp"})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []struct {
		address string
		want    bool
	}{
		{"[2001:db8::1]:1", true}, {"[2001:db8::ffff:1]:1", true}, {"[2001:db8:0:0:ffff::]:1", false},
		{"[2001:db8:0:1::1]:1", true},
		{"[::ffff:192.0.2.1]:1", true}, {"192.0.2.1:2", true}, {"192.0.2.1:3", false}, {"[::ffff:192.0.2.2]:1", true},
		{"[fe80::1%eth0]:1", true}, {"[fe80::2%eth1]:1", true}, {"[fe80::3]:1", false},
	} {
		if _, err := admit(fakeConn{from: from.address}); (err == nil) != from.want {
			t.Errorf("%s: %v", from.address, err)
		}
	}
}

// TestScarce: connections are scarce when more than 3/4 of them are open, also after the limit has changed.
func TestScarce(t *testing.T) {
	for limit, most := range map[int]int{1: 0, 2: 1, 3: 2, 4: 3, 10: 7, 1000: 750} {
		g := &Admission{}
		g.Set(config.Limits{Connections: limit})
		var leave func()
		for open := range limit + 1 {
			if open > 0 {
				var err error
				if leave, err = g.enter(netip.Addr{}, "unix:/lmtp", 0); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := g.scarce(), open > most; got != want {
				t.Errorf("%d of %d open: scarce %t, want %t", open, limit, got, want)
			}
		}
		g.Set(config.Limits{Connections: 2 * limit})
		if g.scarce() {
			t.Errorf("%d of %d open: scarce", limit, 2*limit)
		}
		g.Set(config.Limits{Connections: limit})
		for range limit - most - 1 {
			leave()
		}
		if !g.scarce() {
			t.Errorf("%d of %d open: not scarce", most+1, limit)
		}
		if leave(); g.scarce() {
			t.Errorf("%d of %d open: scarce", most, limit)
		}
	}
}

func TestAdmissionWithoutPeerLimitKeepsNoPeers(t *testing.T) {
	g := &Admission{limit: 100}
	admit, _ := g.admit(config.Listen{Network: "tcp"})
	for i := range 50 {
		if _, err := admit(fakeConn{from: "192.0.2.1:" + strconv.Itoa(i+1)}); err != nil {
			t.Fatal(err)
		}
	}
	if g.peers != nil {
		t.Errorf("peers %v", g.peers)
	}
}

func TestTrustByAddress(t *testing.T) {
	trusted, err := build.Trust(config.Listen{Network: "tcp", TrustedNets: []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]bool{
		"127.0.0.1:25":          true,
		"127.0.0.2:25":          false,
		"10.255.255.255:1":      true,
		"11.0.0.0:1":            false,
		"[::ffff:10.1.2.3]:1":   true,
		"[2001:db8:1::1]:1":     true,
		"[2001:db9::1]:1":       false,
		"[2001:db8::1%eth0]:25": true,
	} {
		if got := trusted(fakeConn{from: from}); got != want {
			t.Errorf("%s: trusted %t", from, got)
		}
	}
	if nobody, err := build.Trust(config.Listen{Network: "tcp"}); nobody != nil || err != nil {
		t.Error("without trusted there must be nobody to ask about")
	}
}

func TestTrustByUser(t *testing.T) {
	dir, err := os.MkdirTemp("", "ds")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for uid, want := range map[int]bool{os.Getuid(): true, os.Getuid() + 1: false} {
		trusted, err := build.Trust(config.Listen{Network: "unix", TrustedUsers: []string{strconv.Itoa(uid)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := trusted(server); got != want {
			t.Errorf("user %d: trusted %t", uid, got)
		}
	}
	if _, err := build.Trust(config.Listen{Network: "unix", TrustedUsers: []string{"nobody-of-this-name"}}); err == nil {
		t.Error("a user who does not exist was taken")
	}
}
