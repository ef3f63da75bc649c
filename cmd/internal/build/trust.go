package build

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/doorstep-mail/doorstep/config"
	"golang.org/x/sys/unix"
)

// Trust says which peers of a listener may speak for others; nil if none may.
func Trust(l config.Listen) (func(net.Conn) bool, error) {
	if len(l.TrustedNets) == 0 && len(l.TrustedUsers) == 0 {
		return nil, nil
	}
	var uids []int
	for _, name := range l.TrustedUsers {
		uid, err := config.UserID(name)
		if err != nil {
			return nil, fmt.Errorf("trusted of %s: %w", l.Address, err)
		}
		uids = append(uids, uid)
	}
	return func(nc net.Conn) bool {
		if ip, ok := PeerIP(nc); ok {
			return slices.ContainsFunc(l.TrustedNets, func(p netip.Prefix) bool { return p.Contains(ip) })
		}
		uid, err := PeerUID(nc)
		return err == nil && slices.Contains(uids, uid)
	}, nil
}

// PeerIP returns the address of a TCP peer, IPv4 as itself also where the socket is of IPv6.
func PeerIP(nc net.Conn) (netip.Addr, bool) {
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap().WithZone(""), true
}

// PeerUID returns the user at the other end of a Unix socket.
func PeerUID(nc net.Conn) (int, error) {
	cred, err := Peer(nc)
	if err != nil {
		return 0, err
	}
	return int(cred.Uid), nil
}

// Peer asks the kernel who is at the other end of a Unix socket; what it says cannot be forged (unix(7), SO_PEERCRED).
// Of a socket that listens it is the process that made it so.
func Peer(nc net.Conn) (*unix.Ucred, error) {
	uc, ok := nc.(*net.UnixConn)
	if !ok {
		return nil, errors.New("not a Unix socket: the peer's user is unknown")
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if credErr != nil {
		return nil, fmt.Errorf("ask for the peer's user: %w", credErr)
	}
	return cred, nil
}
