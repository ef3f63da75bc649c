package daemon

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// An Admission decides who may connect: on a Unix socket with peers only those users, within limits over all listeners
// and for one peer, and only as long as there is memory and there are descriptors for the deliveries under way. Where
// little is left of any of these, the peers that have most are refused, and others get in (docs/overload.md). It
// answers with temporary refusals: a mistake in the configuration must not bounce mail.
type Admission struct {
	descriptors int        // that may be in use; 0 for any number
	memory      int        // octets that may be in use; 0 for any number
	inUse       func() int // octets
	collecting  atomic.Bool

	mu        sync.Mutex
	limit     int
	perPeer   int // 0: any number
	whole     *crowd
	listeners map[string]*crowd // by the address of the listener
}

func newAdmission(r config.Room) *Admission {
	return &Admission{
		descriptors: descriptorsFor(r), memory: memoryFor(), inUse: memoryInUse,
		whole: newCrowd(), listeners: map[string]*crowd{},
	}
}

// collectEvery is how often the garbage collector is made to look whether memory is still low.
const collectEvery = time.Second

// Set changes the limits; connections that are more by then stay.
func (g *Admission) Set(limits config.Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit, g.perPeer = limits.Connections, limits.ConnectionsPerPeer
}

// scarce reports whether more than 3/4 of limits.connections are open, or memory is low: slow senders are no longer
// waited for.
func (g *Admission) scarce() bool {
	if g.memoryLeft().isLow() {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return 4*g.whole.open > 3*g.limit
}

// isShort reports whether there is memory for the messages under way only: no further one is begun.
func (g *Admission) isShort() bool { return g.memoryLeft().isOut() }

func (g *Admission) memoryLeft() supply {
	if g.memory == 0 {
		return supply{}
	}
	s := supply{name: "the room for memory", among: g.whole, used: g.inUse(), limit: g.memory}
	if s.isLow() && g.collecting.CompareAndSwap(false, true) {
		go func() {
			_ = guard.Call(func() error { // with little mail the next look of the collector is minutes away
				runtime.GC()
				<-time.After(collectEvery)
				g.collecting.Store(false)
				return nil
			})
		}()
	}
	return s
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
		return g.enter(caller{peerOf(nc), descriptorOf(nc), l.Network + ":" + l.Address, l.Connections})
	}, nil
}

// A caller is who asks to be let in.
type caller struct {
	peerID
	descriptor int    // of the connection
	at         string // the listener
	most       int    // the limit of that, whose connections of earlier configurations count too; 0 for none
}

// enter counts a connection in.
func (g *Admission) enter(c caller) (leave func(), err error) {
	memory := g.memoryLeft()
	g.mu.Lock()
	defer g.mu.Unlock()
	here := g.listeners[c.at]
	if here == nil {
		here = newCrowd()
		g.listeners[c.at] = here
	}
	supplies := []supply{
		{"limits.connections", g.whole, g.whole.open, g.limit},
		{"connections of " + c.at, here, here.open, c.most},
		{"the room for descriptors", g.whole, c.descriptor, g.descriptors},
		memory,
	}
	for _, s := range supplies {
		if s.isOut() {
			return nil, tooMany("%s is %d, of which %d are in use", s.name, s.limit, s.used)
		}
	}
	if g.perPeer > 0 && c.net.IsValid() && g.whole.peers[c.peerID] >= g.perPeer {
		return nil, tooMany("limits.connections_per_peer is %d, of which %s has all", g.perPeer, c.peerID)
	}
	for _, s := range supplies {
		if s.isLow() && s.among.hasMost(c.peerID) {
			return nil, tooMany("%s is %d, of which %d are in use, and no peer has more connections than %s, with %d", s.name,
				s.limit, s.used, c.peerID, s.among.peers[c.peerID])
		}
	}
	g.whole.enter(c.peerID)
	here.enter(c.peerID)
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.whole.leave(c.peerID)
		here.leave(c.peerID)
	}, nil
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
