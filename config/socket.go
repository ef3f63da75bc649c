package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/config/hint"
	"github.com/doorstep-mail/doorstep/config/internal/table"
	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// maxUnixPath is the longest path of a Unix socket: sun_path without its final NUL.
const maxUnixPath = 107

// setSocketAddress takes where to listen.
func setSocketAddress(l *Listen, v *table.Value, s string) error {
	network, address, err := socketAddress(v, s)
	if err == nil {
		l.Network, l.Address = network, address
	}
	return err
}

// socketAddress takes unix:PATH, tcp:HOST:PORT or systemd:NAME apart.
func socketAddress(v *table.Value, s string) (network, address string, err error) {
	network, address, found := strings.Cut(s, ":")
	switch {
	case network == "unix" && found:
		address, err = unixAddress(v, address)
	case network == "tcp" && found:
		err = checkTCP(address)
	case network == "systemd" && found:
		err = checkSystemdName(address)
	case strings.HasPrefix(s, "/"):
		err = hint.New(hint.Quote(s)+" says no network", "write "+hint.Quote("unix:"+s))
	case checkTCP(s) == nil:
		err = hint.New(hint.Quote(s)+" says no network", "write "+hint.Quote("tcp:"+s))
	default:
		err = hint.New(hint.Quote(s)+" is neither unix:PATH nor tcp:HOST:PORT nor systemd:NAME", "")
	}
	return network, address, err
}

func unixAddress(v *table.Value, path string) (string, error) {
	if strings.HasPrefix(path, "@") {
		return "", hint.New("abstract sockets are open to every user of the machine", "write unix:/PATH")
	}
	return socketPath(v, path)
}

// socketPath returns the absolute path of a Unix socket.
func socketPath(v *table.Value, path string) (string, error) {
	path, err := v.Absolute(path)
	if err == nil && len(path) > maxUnixPath {
		return "", hint.New("the path of the socket has "+strconv.Itoa(len(path))+" octets; the kernel takes "+
			strconv.Itoa(maxUnixPath), "")
	}
	return path, err
}

// checkSystemdName checks the name of sockets that systemd opens (sd_listen_fds_with_names(3)).
func checkSystemdName(name string) error {
	isOther := func(c rune) bool { return c <= ' ' || c > '~' || c == ':' }
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, isOther) {
		return hint.New(hint.Quote(name)+" is not a name of sockets",
			"write what FileDescriptorName says in the socket unit, or the unit's name")
	}
	return nil
}

// checkTCP checks HOST:PORT.
func checkTCP(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		suggestion := "write tcp:HOST:PORT"
		if last := strings.LastIndexByte(s, ':'); last > 0 {
			if ip, err := netip.ParseAddr(s[:last]); err == nil {
				suggestion = "write tcp:" + net.JoinHostPort(ip.String(), s[last+1:])
			}
		}
		return hint.New(hint.Quote(s)+" is not HOST:PORT", suggestion)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || !isDigits(port) {
		return hint.New(hint.Quote(port)+" is not a port", "1 to 65535")
	}
	if host == "" || host == "*" {
		return hint.New("the host is missing", "0.0.0.0 or [::] is every address of the machine")
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if _, err := address.DomainKey(host); err != nil || strings.Trim(host, "0123456789.") == "" {
		return hint.New(hint.Quote(host)+" is neither an IP address nor a host name", "")
	}
	return nil
}

// canonicalAddress returns one spelling for equal addresses.
func canonicalAddress(l *Listen) string {
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

// isLoopback reports whether a TCP listener can only be reached from this machine.
func isLoopback(l *Listen) bool {
	host, _, err := net.SplitHostPort(canonicalAddress(l))
	return l.Network == "tcp" && err == nil && isThisMachine(host)
}

// isThisMachine reports whether a host is this machine.
func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
