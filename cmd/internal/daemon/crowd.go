package daemon

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
)

// A peerID is who counts as one: an address of IPv4, a network of IPv6, of which one machine has all 2^64 addresses to
// connect from, or a user of this machine at a Unix socket. The zero value is all of whom nothing is known.
type peerID struct {
	net netip.Prefix // not valid at a Unix socket
	uid int          // there, counted from 1
}

func peerOf(nc net.Conn) peerID {
	if ip, ok := build.PeerIP(nc); ok {
		bits := ip.BitLen()
		if ip.Is6() {
			bits = 64
		}
		network, _ := ip.Prefix(bits) // fails for no such number of bits
		return peerID{net: network}
	}
	uid, err := build.PeerUID(nc)
	if err != nil {
		return peerID{}
	}
	return peerID{uid: uid + 1}
}

func (p peerID) String() string {
	switch {
	case p.net.IsValid():
		return p.net.String()
	case p.uid > 0:
		return fmt.Sprintf("user %d", p.uid-1)
	}
	return "a peer that is not known"
}

// A crowd is the connections that are open, by their peers. What the peer with most has is known without a search: a
// flood comes from many.
type crowd struct {
	open  int
	peers map[peerID]int // an entry for each that is connected
	tally map[int]int    // how many peers have that many connections
	most  int
}

func newCrowd() *crowd { return &crowd{peers: map[peerID]int{}, tally: map[int]int{}} }

func (c *crowd) enter(p peerID) {
	c.open++
	c.count(p, +1)
	c.most = max(c.most, c.peers[p])
}

func (c *crowd) leave(p peerID) {
	c.open--
	c.count(p, -1)
	if c.tally[c.most] == 0 {
		c.most-- // what p has now, if p had most
	}
}

// count changes how many connections a peer has.
func (c *crowd) count(p peerID, by int) {
	before, now := c.peers[p], c.peers[p]+by
	if c.tally[before]--; c.tally[before] <= 0 {
		delete(c.tally, before)
	}
	if now == 0 {
		delete(c.peers, p)
		return
	}
	c.peers[p] = now
	c.tally[now]++
}

// hasMost reports whether no peer has more connections than p, who has some.
func (c *crowd) hasMost(p peerID) bool { return c.open > 0 && c.peers[p] >= c.most }
