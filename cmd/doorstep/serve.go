package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/lmtp"
)

// grace is how long deliveries may take to finish when the program is asked to stop.
const grace = 30 * time.Second

// serveCommand runs the server.
func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take mail and deliver it",
		Long: "Serve listens, takes mail and delivers it until it is told to stop by SIGTERM or SIGINT.\n" +
			"Then deliveries that have begun are finished; a second signal stops at once. At SIGHUP the\n" +
			"configuration is read again: domains, users and the postmaster change at once,\n" +
			"all else at the next start; where anything is wrong with it, the old one stays in force.\n\n" +
			"With --dev it needs no configuration: it makes one in ./doorstep-dev, with a few accounts,\n" +
			"and listens on a socket there, on 127.0.0.1:2424 for LMTP and on 127.0.0.1:2525 for ESMTP.",
		Example: "  doorstep serve -c /etc/doorstep/doorstep.toml\n  doorstep serve --dev",
		Args:    noArguments,
	}
	path := configFlag(cmd)
	dev := cmd.Flags().Bool("dev", false, "run in ./doorstep-dev, to try things out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ready := func() {}
		if *dev {
			if cmd.Flags().Changed("config") {
				return usage(errors.New("serve: --dev makes its own configuration, and does not go with -c"), "leave one of them out")
			}
			place, err := makeDev("doorstep-dev")
			if err != nil {
				return failed(err, "--dev makes a directory doorstep-dev here; go where you may write")
			}
			*path = place.config
			ready = func() { place.explain(cmd.OutOrStdout()) }
		}
		c, err := loadConfig(*path, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return serve(cmd.Context(), *path, c, cmd.ErrOrStderr(), ready)
	}
	return cmd
}

// serve runs until a signal, or until ctx ends. path is where c was read, to be read again at
// SIGHUP. ready is called when all sockets are open.
func serve(ctx context.Context, path string, c *config.Config, stderr io.Writer, ready func()) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	// The kernel would end the program when the reader of its log has gone (os/signal,
	// SIGPIPE); mail is worth more than the line.
	signal.Ignore(syscall.SIGPIPE)

	log := buildLog(c.Log, stderr)
	agent, err := buildAgent(c, log)
	if err != nil {
		return failed(err, "doorstep check tells what is wrong with the configuration")
	}
	defer func() {
		if err := agent.Store.Close(); err != nil {
			log.Error("close the store", "error", err)
		}
	}()
	if slices.ContainsFunc(c.Users, func(u config.User) bool { return u.Quota > 0 }) {
		log.Warn("quotas are configured, and not enforced by this version")
	}
	if c.Store.Durability == config.DurableNone {
		log.Warn("durability is \"none\": a power cut loses mail that was acknowledged")
	}
	handler := newReloader(path, c, agent, log)
	listeners, err := open(ctx, c, handler, log)
	if err != nil {
		return err
	}
	for _, l := range listeners {
		log.Info("listening", "address", l.socket.Addr().Network()+":"+l.socket.Addr().String(), "protocol", l.server.Protocol.String())
	}
	// What is missing now may come later, a mount for one; until then its mail is deferred.
	for _, p := range c.CheckSystem() {
		log.Warn("the configuration does not fit this machine", "problem", p.String())
	}
	handler.watch(ctx)
	ready()
	return runAll(ctx, stop, listeners, log)
}

// A listener is an open socket and the server for it.
type listener struct {
	server *lmtp.Server
	socket net.Listener
}

// open opens all sockets, or none.
func open(ctx context.Context, c *config.Config, handler lmtp.Handler, log *slog.Logger) ([]listener, error) {
	var all []listener
	gate := &gate{limit: c.Limits.Connections, perPeer: c.Limits.ConnectionsPerPeer}
	secrets, err := buildSecrets(c, log)
	if err != nil {
		return nil, err
	}
	for _, l := range c.Listen {
		server, err := buildServer(c, l, handler, log, gate)
		if err == nil {
			err = secrets.secure(server, l)
		}
		if err == nil {
			var socket net.Listener
			if socket, err = listen(ctx, l); err == nil {
				all = append(all, listener{server, socket})
				continue
			}
		}
		for _, open := range all {
			err = errors.Join(err, open.socket.Close())
		}
		return nil, err
	}
	return all, nil
}

// runAll serves until ctx ends or a listener fails, and then lets deliveries finish. stop
// takes the signals back, so that a second one ends the program at once.
func runAll(ctx context.Context, stop func(), listeners []listener, log *slog.Logger) error {
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { ended <- l.server.Serve(l.socket) }()
	}
	var cause error
	select {
	case <-ctx.Done():
	case err := <-ended:
		cause = failed(fmt.Errorf("serve: %w", err), "")
	}
	stop() // before the log tells anybody that it is time for a second signal
	if cause == nil {
		log.Info("stopping", "grace", grace.String())
	} else {
		log.Error("a listener failed, stopping", "error", cause, "grace", grace.String())
	}

	patience, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var group sync.WaitGroup
	for _, l := range listeners {
		group.Go(func() {
			if err := l.server.Shutdown(patience); err != nil {
				log.Warn("stopped with deliveries under way", "error", err)
			}
		})
	}
	group.Wait()
	log.Info("stopped", "pid", os.Getpid())
	return cause
}
