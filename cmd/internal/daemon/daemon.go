// Package daemon is the running server: its listeners, the configuration in force and those before it, who may
// connect, reload, upgrade, the control socket, and how the process confines itself.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/cli"
	"github.com/doorstep-mail/doorstep/cmd/internal/logging"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Grace is how long deliveries may take to finish when the program is asked to stop.
const Grace = 30 * time.Second

// A daemon is the running server: its sockets, the configuration in force, and those before that
// still have sessions.
type daemon struct {
	path    string // of the configuration
	log     *slog.Logger
	endLog  func() // when nothing more is to be said
	level   *slog.LevelVar
	manager *notifier
	gate    *Admission
	doors   []*listener
	control *control           // nil: none
	watch   *observe.Observers // nil: nobody wants to know
	admin   *adminListener     // nil: none
	sandbox *sandbox           // nil: none
	failed  chan error
	signals chan os.Signal // SIGHUP and SIGUSR2

	orders   turn          // one reload or upgrade at a time
	replaced chan struct{} // closed when another process has taken over

	// Generations are closed without mu: they wait for warnings, until patience ends, and for databases.
	closing  guard.Group // of them, counted with mu held
	patience context.Context
	hurry    context.CancelFunc // ends patience

	// mu is held for moments only: readyz, status, reload, upgrade and the stop all need it.
	mu      sync.Mutex
	started *config.Config // what was in force at the start
	now     *instance
	earlier map[*instance]bool // to whether it is waited for
	leaving bool
}

func newDaemon(path string, c *config.Config, stderr io.Writer) *daemon {
	level := &slog.LevelVar{}
	level.Set(c.Log.Level)
	output := logging.NewOutput(stderr, c.Log.Format)
	log := logging.New(c.Log, level, output)
	d := &daemon{
		path: path, log: log, level: level, manager: newNotifier(log), gate: &Admission{}, started: c, watch: observe.New(c),
		orders: newTurn(), replaced: make(chan struct{}), earlier: map[*instance]bool{},
	}
	d.patience, d.hurry = context.WithCancel(context.Background())
	d.watch.Logs(output, log)
	output.Detach(func(lines int) {
		log.Warn("lines of this log were lost before this one", "lines", lines, "hint",
			"its reader stalled, or the disk that it is on was full")
	})
	d.endLog = output.End
	return d
}

// start opens all sockets, or none, and takes connections on them.
func (d *daemon) start(ctx context.Context) error {
	sockets, err := inherit()
	if err != nil {
		return err
	}
	if err := d.open(ctx, sockets); err != nil {
		return errors.Join(err, d.shut())
	}
	d.control = openControl(ctx, d, sockets)
	d.admin = openAdmin(ctx, d, sockets)
	secrets, err := build.NewSecrets(d.started, d.log)
	var tell func()
	if err == nil {
		d.sandbox, tell, err = enterSandbox(d.started, d.log)
	}
	if err == nil {
		err = settle(d.started.Store) // from here on nothing is root's
	}
	if err != nil {
		return errors.Join(err, d.shut())
	}
	logIdentity(d.started.Store, d.log)
	d.failed = make(chan error, len(d.doors))
	g, err := newInstance(d.started, d.doors, nil, secrets, d.gate, d.watch, d.log)
	if err != nil {
		return errors.Join(err, d.shut())
	}
	if err := d.install(g); err != nil {
		return errors.Join(err, d.shut())
	}
	for _, door := range d.doors {
		d.log.Info("listening", "address", door.socket.Addr().Network()+":"+door.socket.Addr().String(), "protocol",
			door.shift.server.Protocol.String())
	}
	d.admin.begin(d)
	sockets.rest(d.log)
	tell()
	sockets.own()
	return nil
}

func (d *daemon) open(ctx context.Context, sockets *inherited) error {
	for _, l := range d.started.Listen {
		found, err := sockets.open(ctx, l)
		if err != nil {
			return err
		}
		for _, o := range found {
			warnOfUnit(o, l, d.log)
			d.doors = append(d.doors, &listener{listen: l, socket: o.socket, handedAs: o.name})
		}
	}
	return nil
}

// shut closes the sockets again.
func (d *daemon) shut() (err error) {
	for _, door := range d.doors {
		err = errors.Join(err, door.socket.Close())
	}
	if d.control != nil {
		d.control.close()
	}
	if d.admin != nil {
		err = errors.Join(err, d.admin.socket.Close())
	}
	return err
}

// install puts g in force: from now on connections are its own. Should a socket fail, those that
// were not turned yet stay with the generation before, which is still there.
func (d *daemon) install(g *instance) error {
	err := d.put(g)
	if errors.Is(err, errLeaving) {
		return errors.Join(err, g.close(d.patience, d.now))
	}
	return err
}

// errLeaving refuses a configuration that comes too late.
var errLeaving = errors.New("the server is stopping")

func (d *daemon) put(g *instance) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.leaving {
		return errLeaving
	}
	d.gate.Set(g.config.Limits)
	d.level.Set(g.config.Log.Level)
	if d.now != nil {
		d.earlier[d.now] = false
	}
	d.now = g
	d.watch.Serves(build.Backends(g.config))
	var errs []error
	for i, door := range d.doors {
		server := g.servers[i]
		if server == nil {
			continue // no longer in the file, and served as before until a restart
		}
		if err := door.end(); err != nil {
			errs = append(errs, err)
			continue
		}
		door.failed = d.failed
		door.begin(server)
	}
	d.retire()
	return errors.Join(errs...)
}

// retire gives back earlier generations as soon as they have no sessions. d.mu is held.
func (d *daemon) retire() {
	for g, waiting := range d.earlier {
		if waiting || slices.ContainsFunc(d.doors,
			func(door *listener) bool { return slices.Contains(g.servers, door.server()) }) {
			continue
		}
		d.earlier[g] = true
		d.beside("reload", func() {
			defer giveMemoryBack()
			g.wait()
			if err := g.close(d.patience, d.without(g)...); err != nil {
				d.log.Error("give back an earlier configuration", "error", err)
			}
		})
	}
}

// without forgets an earlier generation whose sessions have ended, and gives those that are left.
func (d *daemon) without(g *instance) []*instance {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.earlier, g)
	return d.generations()
}

// generations are those that may have sessions. d.mu is held.
func (d *daemon) generations() []*instance {
	all := []*instance{d.now}
	for g := range d.earlier {
		all = append(all, g)
	}
	return all
}

// run serves until ctx ends, a socket fails or another process takes over, and then lets deliveries
// finish. stop takes the signals back, so that a second one ends the program at once.
func (d *daemon) run(ctx context.Context, stop, ready func()) error {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go guard.Run(d.log, "watchdog", func() { d.manager.watch(watched) })
	go guard.Run(d.log, "clock watch", func() { newClockWatch(d.log).run(watched) })
	d.obey(watched)
	if d.control != nil {
		go guard.Run(d.log, "control socket", d.control.serve)
	}
	d.manager.ready("taking mail")
	ready()
	giveMemoryBack()

	var cause error
	select {
	case <-ctx.Done():
	case err := <-d.failed:
		cause = cli.Failed(err, "")
	case <-d.replaced:
		d.drain(ctx)
		return d.stop(stop, nil)
	}
	d.refuse() // before anything that could take its time
	d.manager.stopping()
	if d.control != nil {
		d.control.close()
	}
	return d.stop(stop, cause)
}

// obey reloads at SIGHUP and upgrades at SIGUSR2 until ctx ends.
func (d *daemon) obey(ctx context.Context) {
	go guard.Run(d.log, "signals", func() {
		for {
			select {
			case s := <-d.signals:
				guard.Run(d.log, "signal", func() { d.follow(s) })
			case <-ctx.Done():
				return // they stay ignored: the program ends as it was asked to
			}
		}
	})
}

func (d *daemon) follow(s os.Signal) {
	if s == syscall.SIGHUP {
		d.reload()
	} else {
		d.upgrade()
	}
}

// stop ends all sessions: idle ones are told, deliveries may finish.
func (d *daemon) stop(stop func(), cause error) error {
	stop() // before the log tells anybody that it is time for a second signal
	if cause == nil {
		d.log.Info("stopping", "grace", Grace.String())
	} else {
		d.log.Error("a listener failed, stopping", "error", cause, "grace", Grace.String())
	}
	d.mu.Lock()
	d.leaving = true
	var servers []*lmtp.Server
	for _, g := range d.generations() {
		servers = append(servers, g.servers...)
	}
	d.mu.Unlock()

	patience, cancel := context.WithTimeout(context.Background(), Grace)
	defer cancel()
	var group guard.Group
	for _, s := range servers {
		if s == nil {
			continue
		}
		group.Go(func() {
			guard.Run(d.log, "stop", func() {
				if err := s.Shutdown(patience); err != nil {
					d.log.Warn("stopped with deliveries under way", "error", err)
				}
			})
		})
	}
	group.Wait()
	d.admin.close()
	d.giveBack()
	d.log.Info("stopped", "pid", os.Getpid())
	return cause
}

// drain waits until sessions have ended by themselves, as long as a client may be idle, or until ctx
// ends.
func (d *daemon) drain(ctx context.Context) {
	d.mu.Lock()
	d.leaving = true
	all, patience := d.generations(), d.now.config.Limits.IdleTimeout
	d.mu.Unlock()
	d.log.Info("another process has taken over, finishing the sessions", "patience", patience.String())
	done := make(chan struct{})
	go guard.Run(d.log, "upgrade", func() {
		defer close(done)
		for _, g := range all {
			g.wait()
		}
	})
	select {
	case <-done:
	case <-ctx.Done():
	case <-time.After(patience):
	}
}

// leave ends the shifts and closes the sockets, which another process has too: their files stay.
func (d *daemon) leave() {
	for _, door := range d.doors {
		err := door.end()
		if file, ok := door.socket.(*net.UnixListener); ok {
			file.SetUnlinkOnClose(false)
		}
		if err = errors.Join(err, door.socket.Close()); err != nil {
			d.log.Error("leave a socket to another process", "error", fmt.Errorf("%s: %w", door.name(), err))
		}
	}
	if d.control != nil {
		d.control.leave()
	}
	d.admin.leave()
	close(d.replaced)
}
