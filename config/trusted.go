package config

import (
	"net/netip"
	"strings"
)

func beginTrusted(r *reader, v value, length int) {
	if length == 0 {
		r.problems.add(v.place(), "nobody would be trusted", "leave it out")
	}
}

// readTrusted takes an address, a prefix, or the name of a user; which of them it may be on
// this listener checkTrusted says.
func readTrusted(r *reader, v value, s string) {
	if addr, err := netip.ParseAddr(s); err == nil {
		if addr.Zone() != "" {
			r.problems.add(v.place(), quote(s)+" has a zone, which addresses of peers are compared without", "")
			return
		}
		addr = addr.Unmap()
		r.listen.TrustedNets = append(r.listen.TrustedNets, netip.PrefixFrom(addr, addr.BitLen()))
		return
	}
	if strings.Contains(s, "/") {
		prefix, err := netip.ParsePrefix(s)
		switch {
		case err != nil || prefix.Addr().Is4In6():
			r.problems.add(v.place(), quote(s)+" is not a prefix of addresses", `write "10.0.0.0/8"`)
		case prefix != prefix.Masked():
			r.problems.add(v.place(), quote(s)+" has bits beyond its length", "write "+quote(prefix.Masked().String()))
		default:
			r.listen.TrustedNets = append(r.listen.TrustedNets, prefix)
		}
		return
	}
	var user string
	if r.readPrincipal(v, s, &user) {
		r.listen.TrustedUsers = append(r.listen.TrustedUsers, user)
	}
}

// checkTrusted checks that those who are trusted can be told on this kind of socket, and that
// there are such where they are needed.
func (r *reader) checkTrusted(i int, l *Listen) {
	path := "listen[" + itoa(i) + "]."
	v, said := r.said[path+"trusted"]
	switch {
	case said && l.Network == "tcp" && len(l.TrustedUsers) > 0:
		r.problems.add(v.place(), "users can be told on Unix sockets only: "+quote(l.TrustedUsers[0]), `write addresses, such as "127.0.0.1"`)
	case said && l.Network == "unix" && len(l.TrustedNets) > 0:
		r.problems.add(v.place(), "a Unix socket has no addresses: "+l.TrustedNets[0].String(), `write users, such as "postfix"`)
	}
	if v, ok := r.said[path+"proxy_protocol"]; ok && l.ProxyProtocol && !said {
		r.problems.add(v.name(), "needs trusted: nobody else may send the header", `write trusted = ["127.0.0.1"]`)
	}
}
