package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/admin"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe/status"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// An adminListener is the open admin listener; a nil one is none.
type adminListener struct {
	server *admin.Server
	socket net.Listener
	name   string // by which an upgrade hands the socket over
	log    *slog.Logger
}

// openAdmin opens the admin listener. Mail does not depend on it: where it cannot be opened the log
// says why, once.
func openAdmin(ctx context.Context, d *daemon, sockets *inherited) *adminListener {
	c := d.started.Admin
	if c.Socket.Network == "" {
		return nil
	}
	socket, token, err := listenAdmin(ctx, c, sockets)
	if err != nil {
		d.log.Error("no admin listener: metrics, status and traces are not available; mail is taken", "error", err, "hint",
			cli.HintOf(err))
		return nil
	}
	return &adminListener{
		server: &admin.Server{Token: token, Local: c.Socket.Network == "unix", Log: d.log},
		socket: socket.socket, name: socket.name, log: d.log,
	}
}

// begin answers on the admin listener.
func (a *adminListener) begin(d *daemon) {
	if a == nil {
		return
	}
	h := &health{inForce: d.instances.inForce, log: d.log}
	watchHealth(d.observers, h)
	d.watchState()
	d.observers.Waiting(d.instances.outgoing.waiting)
	d.observers.Value("tls_certificate_expiry_timestamp_seconds",
		"When the certificate that clients are presented now ceases to be valid; 0 without TLS.", d.certificateEnds)
	a.server.Metrics = promhttp.HandlerFor(d.observers.Metrics.Registry(),
		promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelError)})
	a.server.Status = func(ctx context.Context) *status.Snapshot {
		s := snapshot(ctx, d.observers, h)
		s.Outbox, s.State = d.instances.outgoing.status(), stateStatus(d.started.State, d.instances.state)
		return s
	}
	a.server.Ready, a.server.Trace = h.problems, d.observers.Trace
	d.log.Info("admin listener", "address", a.socket.Addr().Network()+":"+a.socket.Addr().String(), "token",
		a.server.Token != "")
	go guard.Run(d.log, "admin listener", func() {
		if err := a.server.Serve(a.socket); err != nil {
			d.log.Error("the admin listener failed", "error", err)
		}
	})
}

// listenAdmin opens the socket, or takes it over, and reads the token.
func listenAdmin(ctx context.Context, c config.Admin, sockets *inherited) (socket opened, token string, err error) {
	if c.TokenFile != "" {
		if token, err = config.ReadToken(c.TokenFile); err != nil {
			return opened{}, "", cli.Failed(err, config.Hint(err))
		}
	}
	found, err := sockets.open(ctx, c.Socket)
	if err != nil {
		return opened{}, "", err
	}
	return found[0], token, nil
}

// close ends it.
func (a *adminListener) close() {
	if a == nil {
		return
	}
	for _, close := range []func() error{a.server.Close, a.socket.Close} { // the second counts where it does not serve yet
		if err := close(); err != nil && !errors.Is(err, net.ErrClosed) {
			a.log.Error("close the admin listener", "error", err)
		}
	}
}

// certificateEnds is when the certificate that listeners present now ends, in seconds since the
// epoch; 0 where none do. They all have the same.
func (d *daemon) certificateEnds() float64 {
	for _, s := range d.instances.present().servers {
		if s == nil || s.TLS.Config == nil || s.TLS.Config.GetCertificate == nil {
			continue
		}
		c, err := s.TLS.Config.GetCertificate(&tls.ClientHelloInfo{})
		if err == nil && c != nil && c.Leaf != nil {
			return float64(c.Leaf.NotAfter.Unix())
		}
	}
	return 0
}

// watchHealth adds the gauges that are found out at each scrape.
func watchHealth(w *observe.Observers, h *health) {
	w.Value("ready", "1 where mail can be taken: the store can be written to, and directories answer.", func() float64 {
		if len(h.problems(context.Background())) > 0 {
			return 0
		}
		return 1
	})
	disk := func(of func(*status.Disk) uint64) func() float64 {
		return func() float64 {
			if d := h.disk(context.Background()); d != nil {
				return float64(of(d))
			}
			return 0
		}
	}
	w.Value("store_free_bytes", "Room on the file system of the store; 0 also where it does not answer.",
		disk(func(d *status.Disk) uint64 { return d.Free }))
	w.Value("store_size_bytes", "Size of the file system of the store.",
		disk(func(d *status.Disk) uint64 { return d.Size }))
	w.Value("store_free_inodes", "Files that can still be made there.",
		disk(func(d *status.Disk) uint64 { return d.FreeInodes }))
	w.Value("store_inodes", "Files that it can hold; 0 where the file system does not count them.",
		disk(func(d *status.Disk) uint64 { return d.Inodes }))
}

// watchState adds the gauges of what is remembered.
func (d *daemon) watchState() {
	if d.started.State.Driver == config.StateNone {
		return
	}
	d.observers.Value("state_keeps", "1 where it can be remembered who has a message of an alias, 0 where an alias is "+
		"delivered to all or none.", func() float64 {
		if d.instances.state.Keeps() {
			return 1
		}
		return 0
	})
	d.observers.Value("state_entries", "How much is remembered, about.",
		func() float64 { return float64(d.instances.state.Entries()) })
}

// snapshot is all that the status page shows.
func snapshot(ctx context.Context, w *observe.Observers, h *health) *status.Snapshot {
	c, _, _ := h.inForce()
	s := w.Board.Snapshot()
	s.Version, s.Hostname, s.PID = cli.Version, c.Hostname, os.Getpid()
	s.Problems = h.problems(ctx)
	s.Ready = len(s.Problems) == 0
	s.Disk = h.disk(ctx)
	s.Panics = w.Output.Panics.Load()
	s.Settings = inForceSettings(c)
	return s
}

// settingsShown is how many settings of the accounts and of the domains are shown.
const settingsShown = 60

// inForceSettings are the settings of c. A site may have thousands of accounts: of them and of
// domains only the first are shown.
func inForceSettings(c *config.Config) (list []status.Setting) {
	shown := map[string]int{}
	for _, s := range c.Settings() {
		section, _, array := strings.Cut(s.Key, "[")
		if array && (section == "user" || section == "domain") {
			if shown[section]++; shown[section] == settingsShown+1 {
				list = append(list, status.Setting{Key: section, Value: "# and more, which are not shown"})
			}
			if shown[section] > settingsShown {
				continue
			}
		}
		list = append(list, status.Setting(s))
	}
	return list
}
