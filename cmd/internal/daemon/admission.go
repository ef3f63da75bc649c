package daemon

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// An Admission decides who may connect: within limits over all listeners and for one address,
// and on a Unix socket with peers only those users. It answers with temporary refusals: a mistake in the
// configuration must not bounce mail.
type Admission struct {
	limit   int
	perPeer int // 0: any number

	mu     sync.Mutex
	open   int
	peers  map[netip.Prefix]int // kept only with perPeer; an entry for each peer that is connected
	listen map[string]int       // by the address of the listener
}

// Set changes the limits; connections that are more by then stay.
func (g *Admission) Set(limits config.Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit, g.perPeer = limits.Connections, limits.ConnectionsPerPeer
}

// scarce reports whether more than 3/4 of limits.connections are open: slow senders are no longer waited for.
func (g *Admission) scarce() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return 4*g.open > 3*g.limit
}

// admit returns what decides for one listener.
func (g *Admission) admit(l config.Listen) (func(net.Conn) (func(), error), error) {
	var uids []int
	for _, name := range l.Peers {
		uid, err := config.UserID(name)
		if err != nil {
			return nil, fmt.Errorf("peers of %s: %w", l.Address, err)
		}
		uids = append(uids, uid)
	}
	return func(nc net.Conn) (func(), error) {
		if l.Peers != nil {
			if err := checkPeer(nc, uids); err != nil {
				return nil, err
			}
		}
		ip, _ := build.PeerIP(nc)
		return g.enter(ip, l.Network+":"+l.Address, l.Connections)
	}, nil
}

// enter counts a connection in; the zero address is none, as on a Unix socket. most is the limit of
// its listener, whose connections of earlier configurations count too; 0 for none.
func (g *Admission) enter(from netip.Addr, listener string, most int) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open >= g.limit:
		return nil, tooMany("limits.connections is %d", g.limit)
	case most > 0 && g.listen[listener] >= most:
		return nil, tooMany("connections of %s is %d", listener, most)
	}
	peer := peerOf(from)
	counted := g.perPeer > 0 && peer.IsValid()
	if counted {
		if g.peers[peer] >= g.perPeer {
			return nil, tooMany("limits.connections_per_peer is %d, of which %s has all", g.perPeer, peer)
		}
		if g.peers == nil {
			g.peers = make(map[netip.Prefix]int)
		}
		g.peers[peer]++
	}
	if g.listen == nil {
		g.listen = make(map[string]int)
	}
	g.listen[listener]++
	g.open++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.open--
		g.listen[listener]--
		if !counted {
			return
		}
		if g.peers[peer]--; g.peers[peer] == 0 {
			delete(g.peers, peer)
		}
	}, nil
}

// peerOf is who counts as one peer: an address of IPv4, and a network of IPv6, of which one machine has all
// 2^64 addresses to connect from. It is not valid without an address.
func peerOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	peer, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return peer
}

// tooMany refuses a connection; the log says which limit it met.
func tooMany(format string, args ...any) error {
	return &lmtp.Error{Code: 421, Enhanced: "4.3.2", Text: "too many connections, try again later", Rule: "connections",
		Cause: fmt.Errorf(format, args...)}
}

// checkPeer lets only these users in. Where there is a PROXY header, the proxy is the user who connects.
func checkPeer(nc net.Conn, uids []int) error {
	if proxied, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = proxied.NetConn()
	}
	uid, err := build.PeerUID(nc)
	if err == nil && !slices.Contains(uids, uid) {
		err = fmt.Errorf("user %d is not among the peers", uid)
	}
	if err != nil {
		return &lmtp.Error{Code: 421, Enhanced: "4.7.0", Text: "you may not connect here", Rule: "peers", Cause: err}
	}
	return nil
}
