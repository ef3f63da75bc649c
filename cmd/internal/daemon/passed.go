package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
)

// A configuration may name a socket of systemd by its address, as if the server made it: the socket unit can then be
// enabled and disabled without a change of the configuration.

// passedAt takes the sockets of systemd that listen at the address of l; none where there is no such socket. They keep
// systemd's name, and their files are systemd's.
func (in *inherited) passedAt(l config.Listen) (found []opened, err error) {
	asked := l.Network + ":" + l.Address
	for _, g := range in.given {
		if strings.HasPrefix(g.name, "systemd:") && listensAt(g.socket, l) {
			return nil, namedTwice(asked, g)
		}
	}
	for name, sockets := range in.sockets {
		if !strings.HasPrefix(name, "systemd:") {
			continue
		}
		var rest []net.Listener
		for _, socket := range sockets {
			if listensAt(socket, l) {
				found = append(found, opened{name: name, asked: asked, socket: socket})
			} else {
				rest = append(rest, socket)
			}
		}
		if in.sockets[name] = rest; rest == nil {
			delete(in.sockets, name)
		}
	}
	in.given = append(in.given, found...)
	return found, nil
}

// among returns those of the listeners whose sockets were passed.
func (in *inherited) among(listeners []config.Listen) (passed []config.Listen) {
	for _, l := range listeners {
		for name, sockets := range in.sockets {
			if name == l.Network+":"+l.Address || strings.HasPrefix(name, "systemd:") &&
				slices.ContainsFunc(sockets, func(s net.Listener) bool { return listensAt(s, l) }) {
				passed = append(passed, l)
				break
			}
		}
	}
	return passed
}

// namedTwice is the error of a listener whose socket another has already.
func namedTwice(asked string, g opened) error {
	return cli.Failed(fmt.Errorf("listen on %s: this is systemd's socket %s at %s, which the listener of %s has already",
		asked, strings.TrimPrefix(g.name, "systemd:"), g.socket.Addr(), g.asked), "leave one of the two [[listen]] out")
}

// listensAt reports whether a socket has the address of l.
func listensAt(socket net.Listener, l config.Listen) bool {
	switch at := socket.Addr().(type) {
	case *net.UnixAddr:
		return l.Network == "unix" && samePath(at.Name, l.Address)
	case *net.TCPAddr:
		if l.Network != "tcp" {
			return false
		}
		want, err := net.ResolveTCPAddr("tcp", l.Address)
		if err != nil || want.Port != at.Port {
			return false
		}
		return want.IP.Equal(at.IP) || want.IP == nil && at.IP.IsUnspecified()
	}
	return false
}

// samePath also finds /var/run and /run to be the same.
func samePath(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// warnOfUnit says where the file of a socket that systemd made is not as the configuration wants it. It is left so: the
// unit would make it anew at the next start.
func warnOfUnit(o opened, l config.Listen, log *slog.Logger) {
	if l.Network != "unix" || !strings.HasPrefix(o.name, "systemd:") {
		return
	}
	differing, err := differences(o.socket.Addr().String(), l)
	// Where only root comes, as in Postfix's private/, the file is systemd's alone.
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		log.Warn("look at the socket of systemd", "address", o.asked, "error", err)
	}
	if len(differing) > 0 {
		log.Warn("the socket unit made the socket, and not as the configuration says", "address", o.asked, "name", o.name,
			"hint", "write "+strings.Join(differing, ", ")+" in the socket unit (systemctl edit), and restart it")
	}
}

// differences are the lines of a socket unit that would make the file as the configuration says.
func differences(path string, l config.Listen) (lines []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, errors.New("its owner is not known")
	}
	if info.Mode().Perm() != l.Mode&fs.ModePerm {
		lines = append(lines, fmt.Sprintf("SocketMode=%04o", l.Mode&fs.ModePerm))
	}
	if l.Owner != "" {
		uid, err := config.UserID(l.Owner)
		if err != nil {
			return lines, err
		}
		if int64(uid) != int64(stat.Uid) {
			lines = append(lines, "SocketUser="+l.Owner)
		}
	}
	if l.Group != "" {
		gid, err := config.GroupID(l.Group)
		if err != nil {
			return lines, err
		}
		if int64(gid) != int64(stat.Gid) {
			lines = append(lines, "SocketGroup="+l.Group)
		}
	}
	return lines, nil
}
