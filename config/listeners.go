package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

func itoa(i int) string { return strconv.Itoa(i) }

// checkListeners checks what the keys of the listeners say of one another.
func (r *reader) checkListeners(file *document) {
	if len(r.config.Listen) == 0 && !r.doubt["listen"] {
		r.problems.add(place{file, -1, "listen"}, "no [[listen]] table", `write [[listen]] and address = "unix:/run/doorstep/lmtp.sock"`)
	}
	first := map[string]value{}
	for i := range r.config.Listen {
		l := &r.config.Listen[i]
		v := r.said["listen["+itoa(i)+"].address"]
		if l.Network == "" {
			continue // a problem already
		}
		key := l.Network + ":" + canonical(l)
		before, twice := first[key]
		switch {
		case l.Network == "tcp" && strings.HasSuffix(key, ":0"):
			r.problems.warn(v.place(), "port 0 is another port at each start", "")
		case twice:
			r.problems.add(v.place(), "already listened on by "+before.key+" at "+before.place().String(), "")
		default:
			first[key] = v
		}
		switch l.Network {
		case "tcp":
			r.checkTCPListener(i, l, v)
		case "systemd":
			r.refuseFileKeys(i, l, "is for the socket unit to say", "write SocketMode, SocketUser or SocketGroup there", "mode", "owner", "group")
		}
		r.checkConnections(i, l)
		r.checkTrusted(i, l)
	}
}

// canonical returns one spelling for equal addresses.
func canonical(l *Listen) string {
	host, port, err := net.SplitHostPort(l.Address)
	if l.Network != "tcp" || err != nil {
		return l.Address
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return l.Address
	}
	return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(number, 10))
}

// checkTCPListener refuses what makes no sense for TCP, and LMTP where it does harm.
func (r *reader) checkTCPListener(i int, l *Listen, v value) {
	r.refuseFileKeys(i, l, "is for Unix sockets only", "", "mode", "owner", "group", "peers")
	if l.Protocol != LMTP {
		return
	}
	host, port, err := net.SplitHostPort(canonical(l))
	if err != nil {
		return // parsed before
	}
	if port == "25" {
		r.problems.add(v.place(), "LMTP must not be on port 25 (RFC 2033 §5)", `write another port, or protocol = "esmtp"`)
		return
	}
	if ip, err := netip.ParseAddr(host); err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()) || host == "localhost" {
		return
	}
	r.problems.warn(v.place(), "LMTP is not for wide area networks (RFC 2033 §1), and this address is not known to be loopback or private", "")
}

// refuseFileKeys refuses keys about the file of a socket, where there is none of ours.
func (r *reader) refuseFileKeys(i int, l *Listen, text, hint string, names ...string) {
	for _, name := range names {
		if v, said := r.said["listen["+itoa(i)+"]."+name]; said {
			r.problems.add(v.name(), text, hint)
		}
	}
	l.Mode = 0
}

// checkConnections gives a listener's limit its default.
func (r *reader) checkConnections(i int, l *Listen) {
	all := r.config.Limits.Connections
	v, said := r.said["listen["+itoa(i)+"].connections"]
	if !said {
		l.Connections = all
		return
	}
	if all > 0 && l.Connections > all {
		r.problems.warn(v.place(), "is more than limits.connections, "+itoa(all)+", which holds for all listeners together", "")
	}
}
