package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/doorstep-mail/doorstep/config"
	"golang.org/x/sys/unix"
)

// sockets are what the server listens on: for mail, for orders, and for its administrators.
type sockets struct {
	listeners []*listener
	control   *control       // nil: none
	admin     *adminListener // nil: none
}

// open opens the listeners of a configuration, or takes them over.
func (s *sockets) open(ctx context.Context, c *config.Config, in *inherited, log *slog.Logger) error {
	for _, l := range c.Listen {
		found, err := in.open(ctx, l)
		if err != nil {
			return err
		}
		for _, o := range found {
			warnOfUnit(o, l, log)
			s.listeners = append(s.listeners, &listener{listen: l, socket: o.socket, handedAs: o.name})
		}
	}
	return nil
}

// refuse closes the listeners: no client is greeted any more, whatever has to be waited for before the servers can be
// shut down. So it takes no lock.
func (s *sockets) refuse() (err error) {
	for _, l := range s.listeners {
		if e := l.socket.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, fmt.Errorf("close the socket %s: %w", l.name(), e))
		}
	}
	return err
}

// close closes all sockets.
func (s *sockets) close() error {
	s.control.close()
	s.admin.close()
	return s.refuse()
}

// leave closes the sockets, which another process has too: their files stay.
func (s *sockets) leave() (err error) {
	for _, l := range s.listeners {
		e := l.end()
		keepFile(l.socket)
		if e = errors.Join(e, l.socket.Close()); e != nil {
			err = errors.Join(err, fmt.Errorf("leave %s to another process: %w", l.name(), e))
		}
	}
	if s.control != nil {
		keepFile(s.control.socket)
		s.control.close()
	}
	if s.admin != nil {
		keepFile(s.admin.socket)
		s.admin.close()
	}
	return err
}

// keepFile leaves the file of a socket in its place when the socket is closed.
func keepFile(socket net.Listener) {
	if file, ok := socket.(*net.UnixListener); ok {
		file.SetUnlinkOnClose(false)
	}
}

// handOver adds copies of all sockets to the files of a new process, and returns their names.
func (s *sockets) handOver(cmd *exec.Cmd) (names []string, err error) {
	add := func(name string, socket net.Listener) {
		file, e := Duplicate(socket)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("hand over %s: %w", name, e))
			return
		}
		cmd.ExtraFiles, names = append(cmd.ExtraFiles, file), append(names, name)
	}
	for _, l := range s.listeners {
		add(l.handedAs, l.socket)
	}
	if s.control != nil {
		add(controlName, s.control.socket)
	}
	if s.admin != nil {
		add(s.admin.name, s.admin.socket)
	}
	return names, err
}

// Duplicate returns another descriptor of a socket. That of its File method would not do: what starts
// the process makes such a file blocking, and with it the socket itself, whose Accept could then not
// be interrupted any more, should the new process fail.
func Duplicate(socket net.Listener) (*os.File, error) {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return nil, errors.New("it has no descriptor")
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	var copied int
	var dupErr error
	if err := raw.Control(func(fd uintptr) {
		copied, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, dupErr
	}
	return os.NewFile(uintptr(copied), "socket"), nil
}
