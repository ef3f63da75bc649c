package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/doorstep-mail/doorstep/config"
)

// trust says which peers of a listener may speak for others; nil where nobody may.
func trust(l config.Listen) (func(net.Conn) bool, error) {
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
		if ip, ok := peerIP(nc); ok {
			return slices.ContainsFunc(l.TrustedNets, func(p netip.Prefix) bool { return p.Contains(ip) })
		}
		uid, err := peerUID(nc)
		return err == nil && slices.Contains(uids, uid)
	}, nil
}

// peerIP gives the address of a TCP peer, IPv4 as itself also where the socket is of IPv6.
func peerIP(nc net.Conn) (netip.Addr, bool) {
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	return tcp.AddrPort().Addr().Unmap().WithZone(""), true
}
