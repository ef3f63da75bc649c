package daemon

import (
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
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

// admission is one with these limits, on a machine that has enough of everything.
func admission(limit, perPeer int) *Admission {
	g := newAdmission(config.Room{})
	g.memory = 0 // the user who runs the test may have set GOMEMLIMIT
	g.Set(config.Limits{Connections: limit, ConnectionsPerPeer: perPeer})
	return g
}

// A door is an Admission at which connections knock.
type door struct {
	*testing.T
	*Admission
}

// enter expects that a connection from an address is let in, or is refused with a cause that has this text.
func (d door) enter(from string, refused string) (leave func()) {
	d.Helper()
	return d.call(caller{peerID: peerOf(fakeConn{from: from}), at: "tcp:192.0.2.25:24"}, refused)
}

func (d door) call(c caller, refused string) (leave func()) {
	d.Helper()
	leave, err := d.Admission.enter(c)
	var why *lmtp.Error
	switch {
	case refused == "" && err != nil:
		d.Errorf("%s: %v", c.peerID, err)
	case refused != "" && err == nil:
		d.Errorf("%s: let in, want it refused: %s", c.peerID, refused)
	case refused != "" && (!errors.As(err, &why) || why.Code != 421 || !strings.Contains(why.Cause.Error(), refused)):
		d.Errorf("%s: refused with %v, want 421 and %s", c.peerID, err, refused)
	}
	return leave
}

func TestAdmissionCountsConnections(t *testing.T) {
	d := door{t, admission(3, 2)}
	first := d.enter("192.0.2.1:1", "")
	d.enter("[::ffff:192.0.2.1]:2", "") // the same, on a socket of IPv6
	d.enter("192.0.2.1:3", "limits.connections_per_peer is 2, of which 192.0.2.1/32 has all")
	other := d.enter("192.0.2.2:1", "")
	d.enter("192.0.2.3:1", "limits.connections is 3, of which 3 are in use")
	first()
	d.enter("192.0.2.1:4", "")
	d.enter("192.0.2.1:5", "limits.connections is 3")
	other()
	if d.whole.open != 2 || len(d.whole.peers) != 1 {
		t.Errorf("%d open, peers %v; want nothing left of those who have gone", d.whole.open, d.whole.peers)
	}
}

// TestPeerWithMost: the last tenth is for those who have less than the peer with most, and at the end nobody gets in.
func TestPeerWithMost(t *testing.T) {
	d := door{t, admission(20, 0)}
	var flood []func()
	for range 18 {
		flood = append(flood, d.enter("192.0.2.1:1", ""))
	}
	const mostOf = "limits.connections is 20, of which 18 are in use, and no peer has more connections than "
	d.enter("192.0.2.1:1", mostOf+"192.0.2.1/32, with 18")
	newcomer := d.enter("192.0.2.2:1", "")
	d.enter("192.0.2.1:1", "of which 19 are in use, and no peer has more connections than 192.0.2.1/32")
	second := d.enter("192.0.2.2:1", "")
	d.enter("192.0.2.3:1", "limits.connections is 20, of which 20 are in use")
	newcomer()
	second()
	d.enter("192.0.2.1:1", mostOf)
	flood[0]()
	d.enter("192.0.2.1:1", "")

	for _, leave := range flood[1:10] { // half of them; another peer has most then
		leave()
	}
	for range 9 {
		d.enter("[2001:db8::1]:1", "")
	}
	d.enter("[2001:db8::2]:1", mostOf+"2001:db8::/64, with 9")
	d.enter("192.0.2.1:1", mostOf+"192.0.2.1/32, with 9") // as many
	d.enter("192.0.2.4:1", "")
}

// TestPeersOfOneConnection: a flood from everywhere, each with one connection, meets the limit of all.
func TestPeersOfOneConnection(t *testing.T) {
	d := door{t, admission(100, 0)}
	for i := range 100 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 1).String()
		d.enter(from, "")
		if i == 90 {
			d.enter(from, "no peer has more connections than")
		}
	}
	d.enter("192.0.2.200:1", "of which 100 are in use")
}

// TestUsersAreNotOnePeer: users of the machine at Unix sockets are peers too, without limits.connections_per_peer.
func TestUsersAreNotOnePeer(t *testing.T) {
	d := door{t, admission(20, 1)}
	script, postfix := caller{peerID: peerID{uid: 1001}}, caller{peerID: peerID{uid: 1}}
	for range 18 {
		d.call(script, "")
	}
	d.call(script, "no peer has more connections than user 1000, with 18")
	d.call(postfix, "")
}

// TestListenerAlmostFull: the peer with most at one listener has the fewest of all.
func TestListenerAlmostFull(t *testing.T) {
	d := door{t, admission(1000, 0)}
	for range 100 {
		d.enter("192.0.2.1:1", "")
	}
	at := func(uid int) caller { return caller{peerID: peerID{uid: uid}, at: "unix:/lmtp", most: 10} }
	for range 9 {
		d.call(at(8), "")
	}
	d.call(at(8), "connections of unix:/lmtp is 10, of which 9 are in use, and no peer has more connections than user 7")
	d.call(at(9), "")
	d.call(at(10), "connections of unix:/lmtp is 10, of which 10 are in use")
	d.enter("192.0.2.1:1", "")
}

// TestDescriptorsAlmostOut: the kernel gives the lowest descriptor that is free, and so says how many are in use.
func TestDescriptorsAlmostOut(t *testing.T) {
	d := door{t, admission(1000, 0)}
	d.descriptors = descriptorsFor(config.Room{Descriptors: 1024}) // 896
	at := func(uid, descriptor int) caller { return caller{peerID: peerID{uid: uid}, descriptor: descriptor} }
	d.call(at(1, 805), "")
	d.call(at(1, 807), "the room for descriptors is 896, of which 807 are in use, and no peer has more connections than")
	d.call(at(2, 895), "")
	d.call(at(3, 896), "the room for descriptors is 896, of which 896 are in use")
	d.call(at(3, 805), "")
}

// TestMemoryAlmostOut: where memory is low peers with most are refused and slow senders are not waited for; at the end
// no connection is taken and no message begun.
func TestMemoryAlmostOut(t *testing.T) {
	d := door{t, admission(1000, 0)}
	var used int
	d.memory, d.inUse = 1000, func() int { return used }
	type is struct{ scarce, short bool }
	at := func(now int, want is) {
		t.Helper()
		used = now
		if got := (is{d.scarce(), d.isShort()}); got != want {
			t.Errorf("%d of 1000 octets: %+v, want %+v", now, got, want)
		}
	}
	at(899, is{})
	d.enter("192.0.2.1:1", "")
	at(900, is{scarce: true})
	d.enter("192.0.2.1:1", "the room for memory is 1000, of which 900 are in use, and no peer has more connections than")
	d.enter("192.0.2.2:1", "")
	at(1000, is{scarce: true, short: true})
	d.enter("192.0.2.3:1", "the room for memory is 1000, of which 1000 are in use")
	at(10, is{})
	d.enter("192.0.2.3:1", "")
}

// TestCrowd: what the peer with most has is right after any coming and going.
func TestCrowd(t *testing.T) {
	r := rand.New(rand.NewPCG(421, 432))
	c := newCrowd()
	var inside []peerID
	for range 10_000 {
		if len(inside) == 0 || r.IntN(len(inside)+20) < 20 {
			p := peerID{uid: 1 + r.IntN(8)}
			c.enter(p)
			inside = append(inside, p)
		} else {
			i := r.IntN(len(inside))
			c.leave(inside[i])
			inside[i] = inside[len(inside)-1]
			inside = inside[:len(inside)-1]
		}
		count, most := map[peerID]int{}, 0
		for _, p := range inside {
			count[p]++
			most = max(most, count[p])
		}
		if c.open != len(inside) || c.most != most || !maps.Equal(c.peers, count) {
			t.Fatalf("%d open, most %d, of %v; want %d, %d, %v", c.open, c.most, c.peers, len(inside), most, count)
		}
	}
}

// TestSuppliesOfThisProcess: what this machine says of itself can be read.
func TestSuppliesOfThisProcess(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n := descriptorOf(conn); n <= int(file.Fd()) {
		t.Errorf("descriptor %d, of a connection that was opened after %d", n, file.Fd())
	}
	large := make([]byte, 64<<20)
	runtime.GC()
	if n := memoryInUse(); n < len(large) || n > 8*len(large) {
		t.Errorf("%d octets of memory in use, of which %d are known", n, len(large))
	}
	runtime.KeepAlive(large)
}

// One machine has a whole network of IPv6 to connect from.
func TestAdmissionCountsNetworksOfIPv6(t *testing.T) {
	admit, err := admission(100, 2).admit(config.Listen{Network: "tcp"})
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
		g := admission(limit, 0)
		var leaves []func()
		for open := range limit + 1 {
			if open > 0 {
				leaves = append(leaves, door{t, g}.call(caller{peerID: peerID{uid: open}}, ""))
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
		leave := func() {
			leaves[0]()
			leaves = leaves[1:]
		}
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
