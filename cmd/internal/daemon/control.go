package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A control is the socket on which a running server takes orders, one a connection: a line with the
// order, and a JSON object in return. Orders are reload, upgrade, outbox, flush, and forget with an address or @DOMAIN.
type control struct {
	daemon *daemon
	socket net.Listener
	log    *slog.Logger
}

// maxOrder bounds an order: the longest has an address, of 254 octets at most (RFC 5321 §4.5.3.1.3), or of as many
// letters in UTF-8.
const maxOrder = 2048

// controlName is how the control socket is called when it is handed over.
const controlName = "control"

// openControl opens the control socket. Mail does not depend on it: where it cannot be, the log says
// why.
func openControl(ctx context.Context, d *daemon, sockets *inherited) *control {
	path := d.started.Control.Socket
	if path == "" {
		return nil
	}
	c := &control{daemon: d, log: d.log}
	if passed := sockets.take(controlName); len(passed) > 0 {
		c.socket = passed[0]
		return c
	}
	var err error
	l := config.Listen{Network: "unix", Address: path, Mode: 0o600}
	if os.Geteuid() == 0 {
		l.Owner = d.started.Store.User // who will be running the server
	}
	c.socket, err = listenUnix(ctx, l)
	if err != nil {
		var f *cli.Failure
		errors.As(err, &f)
		d.log.Warn("no control socket: doorstep reload, upgrade, outbox, user, domain and alias do not reach this server",
			"path", path, "error", err, "hint", f.Hint)
		return nil
	}
	return c
}

func (c *control) serve() {
	for {
		conn, err := c.socket.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				c.log.Error("the control socket failed", "error", err)
			}
			return
		}
		go guard.Run(c.log, "control socket", func() {
			defer conn.Close()
			if err := c.take(conn); err != nil {
				c.log.Warn("order refused", "error", err)
			}
		})
	}
}

// take takes an order from those who may give one: root, and the user who runs the server.
func (c *control) take(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(cli.OrderPatience)); err != nil {
		return err
	}
	uid, err := build.PeerUID(conn)
	if err != nil {
		return err
	}
	if uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("user %d may not give orders", uid)
	}
	order, err := bufio.NewReader(io.LimitReader(conn, maxOrder)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	var answer any
	switch verb, about, _ := strings.Cut(strings.TrimSuffix(order, "\n"), " "); verb {
	case "reload":
		answer = c.daemon.reload()
	case "upgrade":
		r := c.daemon.upgrade()
		defer c.daemon.upgraded(r)
		answer = r
	case "outbox":
		answer = c.daemon.instances.outgoing.tries()
	case "flush":
		answer = c.daemon.instances.outgoing.flush()
	case "forget":
		answer = c.daemon.instances.forget(about)
	default:
		return fmt.Errorf("no such order: %q", order)
	}
	return json.NewEncoder(conn).Encode(answer)
}

// close removes the socket.
func (c *control) close() {
	if c == nil {
		return
	}
	if err := c.socket.Close(); err != nil {
		c.log.Error("close the control socket", "error", err)
	}
}
