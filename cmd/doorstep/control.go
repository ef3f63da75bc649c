package main

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

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/internal/guard"
)

// A control is the socket on which a running server takes orders, one a connection: a line with the
// order, and a JSON object in return. Orders are reload and upgrade.
type control struct {
	daemon *daemon
	socket net.Listener
	log    *slog.Logger
}

// controlName is how the control socket is called when it is handed over.
const controlName = "control"

// orderPatience is how long the two ends wait for a line, and an order for its end.
const orderPatience = 2 * time.Minute

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
		var f *failure
		errors.As(err, &f)
		d.log.Warn("no control socket: doorstep reload and doorstep upgrade do not reach this server", "path", path, "error", err, "hint", f.hint)
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
	if err := conn.SetDeadline(time.Now().Add(orderPatience)); err != nil {
		return err
	}
	uid, err := peerUID(conn)
	if err != nil {
		return err
	}
	if uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("user %d may not give orders", uid)
	}
	order, err := bufio.NewReader(io.LimitReader(conn, 64)).ReadString('\n')
	if err != nil {
		return fmt.Errorf("read an order: %w", err)
	}
	var answer any
	switch order {
	case "reload\n":
		answer = c.daemon.reload()
	case "upgrade\n":
		answer = c.daemon.upgrade()
	default:
		return fmt.Errorf("no such order: %q", order)
	}
	return json.NewEncoder(conn).Encode(answer)
}

// close removes the socket.
func (c *control) close() {
	if err := c.socket.Close(); err != nil {
		c.log.Error("close the control socket", "error", err)
	}
}

// leave closes the socket, which another process has too.
func (c *control) leave() {
	c.socket.(*net.UnixListener).SetUnlinkOnClose(false)
	c.close()
}

// An orderRequest is what the flags of a verb say that gives an order.
type orderRequest struct {
	config, socket *string
	json           *bool
}

func orderFlags(cmd *cobra.Command) *orderRequest {
	return &orderRequest{
		config: configFlag(cmd),
		socket: cmd.Flags().String("socket", "", "the control `socket` of the server; default: control.socket of the configuration"),
		json:   cmd.Flags().Bool("json", false, "print the answer as JSON"),
	}
}

// give gives an order to the running server and reads its answer.
func (o *orderRequest) give(order string, answer any, stderr io.Writer) error {
	path := *o.socket
	if path == "" {
		c, problems, err := config.Load(*o.config)
		if err != nil {
			return usage(err, "-c names the configuration of the server, --socket its control socket")
		}
		if path = c.Control.Socket; path == "" {
			printProblems(stderr, problems)
			return usage(fmt.Errorf("%s: %s does not tell the control socket", order, *o.config), `write [control] and socket = "/run/doorstep/control.sock", or give --socket`)
		}
	}
	conn, err := net.DialTimeout("unix", path, 10*time.Second)
	if err != nil {
		return failed(fmt.Errorf("%s: no server answers: %w", order, err), "is it running, as another user perhaps? A server without a control socket reloads at SIGHUP and upgrades at SIGUSR2")
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(orderPatience)); err != nil {
		return failed(err, "")
	}
	if _, err := io.WriteString(conn, order+"\n"); err != nil {
		return failed(fmt.Errorf("%s: %w", order, err), "")
	}
	if err := json.NewDecoder(conn).Decode(answer); err != nil {
		return failed(fmt.Errorf("%s: the server gave no answer: %w", order, err), "its log says why")
	}
	return nil
}

// print prints an answer as JSON where that is wanted, and else by text.
func (o *orderRequest) print(w io.Writer, answer any, text func() string) error {
	if *o.json {
		return json.NewEncoder(w).Encode(answer)
	}
	_, err := io.WriteString(w, text())
	return err
}

// items are lines of a list.
func items(list []string) string {
	var b strings.Builder
	for _, item := range list {
		b.WriteString("  " + item + "\n")
	}
	return b.String()
}
