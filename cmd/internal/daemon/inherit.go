package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"golang.org/x/sys/unix"
)

// Sockets that were open before the program started: systemd's (sd_listen_fds(3)), and those of the
// process that it takes the place of (upgrade.go). Both are numbered from 3 on and have names.
const (
	firstInherited = 3
	// handedOver has the names of the sockets that an upgrade hands over, in the order of their
	// numbers: systemd's names, or the addresses as the configuration has them, a line each.
	handedOver = "DOORSTEP_SOCKETS"
)

// inherited are such sockets by name: "systemd:NAME", or as the configuration has the address.
type inherited struct {
	sockets map[string][]net.Listener
	// files are those of sockets that were taken over. They are the old process's until this one
	// serves: should it fail before, they must stay.
	files []*net.UnixListener
	given []opened // what listeners have
}

// An opened is a socket of a listener.
type opened struct {
	name   string // by which an upgrade hands it over: systemd's, or as the configuration has the address
	asked  string // as the configuration has the address
	socket net.Listener
}

// inherit takes the sockets that the environment names, and their names out of it: programs
// that are started later are not meant.
func inherit() (*inherited, error) {
	in := &inherited{sockets: map[string][]net.Listener{}}
	for _, file := range activation.Files(true) {
		if err := in.add("systemd:"+file.Name(), file); err != nil {
			return nil, err
		}
	}
	names := os.Getenv(handedOver)
	if names == "" {
		return in, nil
	}
	for i, name := range strings.Split(names, "\n") {
		number := firstInherited + 1 + i // after the pipe to say ready on
		unix.CloseOnExec(number)
		if err := in.add(name, os.NewFile(uintptr(number), name)); err != nil {
			return nil, err
		}
	}
	return in, os.Unsetenv(handedOver)
}

// add takes over the socket that file is.
func (in *inherited) add(name string, file *os.File) error {
	socket, err := net.FileListener(file) // a copy
	if err = errors.Join(err, file.Close()); err != nil {
		return cli.Failed(fmt.Errorf("take over socket %s: %w", name, err),
			"it must be a stream socket that listens: ListenStream in the socket unit, and Accept=no")
	}
	in.sockets[name] = append(in.sockets[name], socket)
	return nil
}

// open returns the sockets of a listener: those that are open already, or a new one.
func (in *inherited) open(ctx context.Context, l config.Listen) ([]opened, error) {
	name := l.Network + ":" + l.Address
	if sockets := in.take(name); sockets != nil {
		var found []opened
		for _, socket := range sockets {
			found = append(found, opened{name, name, socket})
		}
		in.given = append(in.given, found...)
		return found, nil
	}
	if l.Network == "systemd" {
		for _, g := range in.given {
			if g.name == name {
				return nil, namedTwice(name, g)
			}
		}
		return nil, cli.Failed(fmt.Errorf("listen on %s: systemd passed no socket of this name, but %s", name, in),
			"the socket unit says FileDescriptorName="+l.Address+", is started, and its Service= is this one")
	}
	if passed, err := in.passedAt(l); err != nil || passed != nil {
		return passed, err
	}
	socket, err := listen(ctx, l)
	if err != nil {
		return nil, err
	}
	return []opened{{name, name, socket}}, nil
}

// take returns the sockets of a name; nil where there are none.
func (in *inherited) take(name string) []net.Listener {
	sockets := in.sockets[name]
	delete(in.sockets, name)
	for _, socket := range sockets {
		if file, ok := socket.(*net.UnixListener); ok && !strings.HasPrefix(name, "systemd:") {
			in.files = append(in.files, file)
		}
	}
	return sockets
}

// own makes the files of the sockets ours, as if we had made them: they are removed in the end.
func (in *inherited) own() {
	for _, file := range in.files {
		file.SetUnlinkOnClose(true)
	}
}

// rest closes what no listener asked for.
func (in *inherited) rest(log *slog.Logger) {
	for name, sockets := range in.sockets {
		log.Warn("a socket was passed that the configuration does not name", "name", name, "hint",
			`write [[listen]] and address = "`+name+`"`)
		for _, socket := range sockets {
			if err := socket.Close(); err != nil {
				log.Warn("close a socket that is not used", "name", name, "error", err)
			}
		}
	}
}

func (in *inherited) String() string {
	if len(in.sockets) == 0 {
		return "none at all"
	}
	return strings.Join(slices.Sorted(maps.Keys(in.sockets)), ", ")
}

// compatible reports what a listener cannot be on a socket that another program opened; what is known
// by the address package config has refused before.
func compatible(l config.Listen, socket net.Listener) error {
	tcp, isTCP := socket.Addr().(*net.TCPAddr)
	switch {
	case l.Network != "systemd":
	case isTCP && tcp.Port == 25 && l.Protocol == config.LMTP:
		return cli.Usage(fmt.Errorf("listen on systemd:%s: LMTP must not be on port 25 (RFC 2033 §5)", l.Address),
			`write another port in the socket unit, or protocol = "esmtp"`)
	case !isTCP && l.TLS != config.TLSOff:
		return cli.Usage(fmt.Errorf("listen on systemd:%s: there is no TLS on a Unix socket", l.Address), "leave tls out")
	case isTCP && l.Peers != nil:
		return cli.Usage(fmt.Errorf("listen on systemd:%s: peers are for Unix sockets only", l.Address), "leave peers out")
	}
	return nil
}
