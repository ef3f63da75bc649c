// Package daemon is the running server: its listeners, the configuration in force and those before it, who may
// connect, reload, upgrade, the control socket, and how the process confines itself.
package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/semaphore"

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

// A daemon is the running server.
type daemon struct {
	path    string         // of the configuration
	started *config.Config // in force at the start
	log     *slog.Logger
	level   *slog.LevelVar // of log
	endLog  func()         // writes the lines that wait
	room    config.Room    // what the kernel granted at the start

	notifier  *notifier
	admission *Admission
	observers *observe.Observers // nil: no admin listener
	sandbox   *sandbox           // nil: none
	sockets   sockets
	instances *instances

	orders   *semaphore.Weighted // one reload or upgrade at a time
	signals  chan os.Signal      // SIGHUP and SIGUSR2
	failed   chan error          // of listeners
	replaced chan struct{}       // closed when another process has taken over
}

func newDaemon(path string, c *config.Config, stderr io.Writer) *daemon {
	level := &slog.LevelVar{}
	level.Set(c.Log.Level)
	output := logging.NewOutput(stderr, c.Log.Format)
	log := logging.New(c.Log, level, output)
	room := c.Room()
	useMemory(room.Memory)
	d := &daemon{
		path: path, started: c, room: room, log: log, level: level, endLog: output.End, notifier: newNotifier(log),
		admission: newAdmission(room), observers: observe.New(c), instances: newInstances(log),
		orders: semaphore.NewWeighted(1), replaced: make(chan struct{}),
	}
	d.observers.Logs(output, log)
	output.Detach(func(lines int) {
		log.Warn("lines of this log were lost before this one", "lines", lines, "hint",
			"its reader stalled, or the disk that it is on was full")
	})
	return d
}

// start opens all sockets, or none, and takes connections on them.
func (d *daemon) start(ctx context.Context, in *inherited) error {
	logSandbox, err := d.prepare(ctx, in)
	if err != nil {
		return errors.Join(err, d.sockets.close())
	}
	for _, l := range d.sockets.listeners {
		d.log.Info("listening", "address", l.socket.Addr().Network()+":"+l.socket.Addr().String(), "protocol",
			l.serving.server.Protocol.String())
	}
	d.sockets.admin.begin(d)
	in.rest(d.log)
	logSandbox()
	in.own()
	return nil
}

// prepare opens the sockets, gives up the rights that are no longer needed, and puts the first instance in force.
func (d *daemon) prepare(ctx context.Context, in *inherited) (logSandbox func(), err error) {
	if err := d.sockets.open(ctx, d.started, in, d.log); err != nil {
		return nil, err
	}
	d.sockets.control = openControl(ctx, d, in)
	d.sockets.admin = openAdmin(ctx, d, in)
	secrets, err := build.NewSecrets(d.started, d.log)
	if err != nil {
		return nil, err
	}
	if d.sandbox, logSandbox, err = enterSandbox(d.started, d.log); err != nil {
		return nil, err
	}
	if err := settle(d.started.Store); err != nil { // from here on nothing is root's
		return nil, err
	}
	logIdentity(d.started.Store, d.log)
	d.failed = make(chan error, len(d.sockets.listeners))
	if d.instances.state, err = build.State(d.started.State, d.log); err != nil {
		return nil, err
	}
	first, err := d.newInstance(d.started, secrets)
	if err != nil {
		return nil, err
	}
	return logSandbox, d.install(first)
}

// install puts g in force: from now on connections are its own. Should a socket fail, those that were not handed over
// yet stay with the instance before, which is still there.
func (d *daemon) install(g *instance) error {
	before := d.instances.present()
	err := d.instances.replace(g, func() (serving []*lmtp.Server, err error) {
		d.admission.Set(g.config.Limits)
		d.level.Set(g.config.Log.Level)
		d.observers.Serves(build.Backends(g.config))
		for i, l := range d.sockets.listeners {
			if g.servers[i] != nil { // else it is no longer in the file, and served as before until a restart
				err = errors.Join(err, l.handOver(g.servers[i], d.failed))
			}
			serving = append(serving, l.server())
		}
		return serving, err
	})
	if errors.Is(err, errLeaving) {
		return errors.Join(err, g.close(d.instances.patience, d.instances.present()))
	}
	var was config.Submission
	if before != nil {
		was = before.config.Submission
	}
	d.instances.outgoing.sendBy(g.config.Submission, was, d.instances.sends)
	return err
}

// run serves until ctx ends, a socket fails or another process takes over, and then lets deliveries
// finish. stop takes the signals back, so that a second one ends the program at once.
func (d *daemon) run(ctx context.Context, stop, ready func()) error {
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	go guard.Run(d.log, "watchdog", func() { d.notifier.watch(watched) })
	go guard.Run(d.log, "clock watch", func() { newClockWatch(d.log).run(watched) })
	if d.instances.state != nil {
		go guard.Run(d.log, "state", func() { d.instances.state.Run(watched) })
	}
	d.obey(watched)
	if d.sockets.control != nil {
		go guard.Run(d.log, "control socket", d.sockets.control.serve)
	}
	d.notifier.ready("taking mail")
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
	if err := d.sockets.refuse(); err != nil { // before anything that could take its time
		d.log.Error("stop", "error", err)
	}
	d.notifier.stopping()
	d.sockets.control.close()
	return d.stop(stop, cause)
}

// stop ends all sessions: idle ones with a 421, deliveries may finish.
func (d *daemon) stop(stop func(), cause error) error {
	stop() // before the log says that a second signal would end the program
	if cause == nil {
		d.log.Info("stopping", "grace", Grace.String())
	} else {
		d.log.Error("a listener failed, stopping", "error", cause, "grace", Grace.String())
	}
	var servers []*lmtp.Server
	for _, g := range d.instances.leave() {
		servers = append(servers, g.servers...)
	}
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
	d.sockets.admin.close()
	d.instances.close()
	d.log.Info("stopped", "pid", os.Getpid())
	return cause
}

// drain waits until sessions have ended by themselves, as long as a client may be idle, or until ctx
// ends.
func (d *daemon) drain(ctx context.Context) {
	all, patience := d.instances.leave(), d.instances.present().config.Limits.IdleTimeout
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
