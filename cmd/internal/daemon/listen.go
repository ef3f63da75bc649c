package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/daemon/privilege"
	"github.com/doorstep-mail/doorstep/config"
	"golang.org/x/sys/unix"
)

// listen opens the socket of a listener.
func listen(ctx context.Context, l config.Listen) (net.Listener, error) {
	if l.Network == "unix" {
		return listenUnix(ctx, l)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, l.Network, l.Address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, cli.Failed(err, "another program listens there: ss -ltnp tells which")
	case errors.Is(err, syscall.EACCES):
		return nil, cli.Failed(err, "ports below 1024 need root or CAP_NET_BIND_SERVICE; a Unix socket needs neither")
	case err != nil:
		return nil, cli.Failed(err, "")
	}
	return listener, nil
}

// listenUnix makes the socket file. It is removed again when the listener is closed.
func listenUnix(ctx context.Context, l config.Listen) (net.Listener, error) {
	if err := clearSocket(l.Address); err != nil {
		return nil, err
	}
	// Between its making and its chmod the socket must not be open to anyone. The umask is
	// the whole process's, but no other file is made while it starts.
	old := unix.Umask(0o177)
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", l.Address)
	unix.Umask(old)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Failed(err, "make the directory "+filepath.Dir(l.Address)+" first")
	case errors.Is(err, fs.ErrPermission):
		return nil, cli.Failed(err, "the user who runs this must be able to write to "+filepath.Dir(l.Address))
	case err != nil:
		return nil, cli.Failed(err, "")
	}
	if err := permit(l); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// clearSocket removes a socket that an earlier server left, but only if no server answers on it
// and it is a socket.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cli.Failed(err, "")
	case info.Mode().Type() != fs.ModeSocket:
		return cli.Failed(fmt.Errorf("listen on unix:%s: there is something that is not a socket", path),
			"move it away, or choose another address")
	}
	conn, err := net.DialTimeout("unix", path, 5*time.Second)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return cli.Failed(fmt.Errorf("listen on unix:%s: a server is running there", path),
			"stop it first, or choose another address")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cli.Failed(fmt.Errorf("remove the socket that no server listens on: %w", err), "")
	}
	return nil
}

// permit opens the socket to those who may use it: first its owner, then its mode.
func permit(l config.Listen) error {
	uid, gid := -1, -1
	var err error
	if l.Owner != "" {
		if uid, err = config.UserID(l.Owner); err != nil {
			return cli.Failed(err, "")
		}
	}
	if l.Group != "" {
		if gid, err = config.GroupID(l.Group); err != nil {
			return cli.Failed(err, "")
		}
	}
	return openTo(l.Address, uid, gid, l.Mode)
}

// openTo changes owner and mode of the very file it has looked at: in a directory that others
// may write to, the name could lead somewhere else by then, and root would open that. A file
// opened for its path alone cannot be chmodded, but its entry in /proc can (open(2), O_PATH).
func openTo(path string, uid, gid int, mode fs.FileMode) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return cli.Failed(fmt.Errorf("open %s: %w", path, err), "")
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return cli.Failed(fmt.Errorf("look at %s: %w", path, err), "")
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return cli.Failed(fmt.Errorf("listen on unix:%s: the socket was replaced", path),
			"no other user may be able to write to its directory")
	}
	if uid < 0 && gid < 0 {
		// As it was made. A unit that forbids to change owners forbids to ask for no change too.
	} else if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
		return cli.Failed(fmt.Errorf("change the owner of %s: %w", path, err),
			"only root may give a socket to another owner, or to a group it is not in")
	}
	err = os.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), mode)
	switch {
	case errors.Is(err, fs.ErrNotExist): // the descriptor is there
		return cli.Failed(fmt.Errorf("change the mode of %s: %w", path, privilege.ErrNoProc), privilege.MountProc)
	case err != nil:
		return cli.Failed(fmt.Errorf("change the mode of %s: %w", path, err), "")
	}
	return nil
}
