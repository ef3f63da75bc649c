package config

import (
	"io/fs"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/doorstep-mail/doorstep/lmtp/address"
)

// maxUnixPath is the longest path of a Unix socket: sun_path without its final NUL.
const maxUnixPath = 107

func beginListen(r *reader) int {
	r.config.Listen = append(r.config.Listen, Listen{})
	last := len(r.config.Listen) - 1
	r.listen = &r.config.Listen[last]
	return last
}

func readListenAddress(r *reader, v value, s string) {
	network, rest, found := strings.Cut(s, ":")
	switch {
	case network == "unix" && found:
		r.readUnix(v, rest)
	case network == "tcp" && found:
		if err := checkTCP(rest); err != nil {
			r.problems.refuse(v.place(), err)
			return
		}
		r.listen.Network, r.listen.Address = "tcp", rest
	case network == "systemd" && found:
		r.readSystemd(v, rest)
	case strings.HasPrefix(s, "/"):
		r.problems.add(v.place(), quote(s)+" says no network", "write "+quote("unix:"+s))
	case checkTCP(s) == nil:
		r.problems.add(v.place(), quote(s)+" says no network", "write "+quote("tcp:"+s))
	default:
		r.problems.add(v.place(), quote(s)+" is neither unix:PATH nor tcp:HOST:PORT nor systemd:NAME", "")
	}
}

func (r *reader) readUnix(v value, path string) {
	if strings.HasPrefix(path, "@") {
		r.problems.add(v.place(), "abstract sockets are open to everybody on the machine", "write unix:/PATH")
		return
	}
	path, ok := r.absolute(v, path)
	if !ok {
		return
	}
	if len(path) > maxUnixPath {
		r.problems.add(v.place(), "the path of the socket has "+strconv.Itoa(len(path))+" octets; the kernel takes "+strconv.Itoa(maxUnixPath), "")
		return
	}
	r.listen.Network, r.listen.Address = "unix", path
}

// readSystemd takes the name of sockets that systemd opens (sd_listen_fds_with_names(3)).
func (r *reader) readSystemd(v value, name string) {
	printable := strings.IndexFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || c == ':' }) < 0
	if name == "" || len(name) > 255 || !printable {
		r.problems.add(v.place(), quote(name)+" is not a name of sockets", "write what FileDescriptorName says in the socket unit, or the unit's name")
		return
	}
	r.listen.Network, r.listen.Address = "systemd", name
}

// checkTCP checks HOST:PORT.
func checkTCP(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		hint := "write tcp:HOST:PORT"
		if last := strings.LastIndexByte(s, ':'); last > 0 {
			if ip, err := netip.ParseAddr(s[:last]); err == nil {
				hint = "write tcp:" + net.JoinHostPort(ip.String(), s[last+1:])
			}
		}
		return fault{quote(s) + " is not HOST:PORT", hint}
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || !isDigits(port) {
		return fault{quote(port) + " is not a port", "1 to 65535"}
	}
	if host == "" || host == "*" {
		return fault{"the host is missing", "0.0.0.0 or [::] is every address of the machine"}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	if _, err := address.DomainKey(host); err != nil || strings.Trim(host, "0123456789.") == "" {
		return fault{quote(host) + " is neither an IP address nor a host name", ""}
	}
	return nil
}

// mode is the permissions of a file, in octal and in quotes: TOML knows 0660 neither as an
// octal number nor as any other.
func mode(at func(r *reader) *fs.FileMode) kind {
	return kind{"an octal mode in quotes", schema{"type": "string", "pattern": "^[0-7]{3,4}$"}, func(r *reader, v value) {
		s, _ := v.data.(string)
		bits, err := strconv.ParseUint(s, 8, 32)
		switch {
		case s == "":
			r.problems.add(v.place(), "must be a mode in quotes", `write "0660"`)
		case err != nil || !isDigits(s) || len(s) < 3 || len(s) > 4 || bits > 0o777:
			r.problems.add(v.place(), quote(s)+" is not a mode", `write "0660"`)
		default:
			*at(r) = fs.FileMode(bits)
		}
	}}
}

func readOwner(r *reader, v value, s string) { r.readPrincipal(v, s, &r.listen.Owner) }

func readGroup(r *reader, v value, s string) { r.readPrincipal(v, s, &r.listen.Group) }

func beginPeers(r *reader, v value, length int) {
	if length == 0 {
		r.problems.add(v.place(), "nobody could connect", "leave it out to let in whom the mode lets in")
	}
}

func readPeer(r *reader, v value, s string) {
	var peer string
	if r.readPrincipal(v, s, &peer) {
		r.listen.Peers = append(r.listen.Peers, peer)
	}
}

// readPrincipal takes the name or number of a user or group. Whether there is one of that
// name CheckSystem asks.
func (r *reader) readPrincipal(v value, s string, to *string) bool {
	if s == "" || len(s) > 256 || strings.ContainsAny(s, ":, \t\r\n\x00/") {
		r.problems.add(v.place(), quote(s)+" is not a name", "")
		return false
	}
	*to = s
	return true
}
