package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// serveCommand runs the server.
func serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Take mail and deliver it",
		Long: "Serve listens, takes mail and delivers it until it is told to stop by SIGTERM or SIGINT.\n" +
			"Then deliveries that have begun are finished; a second signal stops at once. At SIGHUP the\n" +
			"configuration is read again, as by doorstep reload; at SIGUSR2 a new process takes over, as by\n" +
			"doorstep upgrade. It tells systemd how it is (Type=notify), and takes sockets from it\n" +
			"(address = \"systemd:NAME\").\n\n" +
			"With --dev it needs no configuration: it makes one in ./doorstep-dev, with a few accounts,\n" +
			"and listens on a socket there, on 127.0.0.1:2424 for LMTP and on 127.0.0.1:2525 for ESMTP;\n" +
			"http://127.0.0.1:2480/ is its status page.",
		Example: "  doorstep serve -c /etc/doorstep/doorstep.toml\n  doorstep serve --dev",
		Args:    noArguments,
	}
	path := configFlag(cmd)
	dev := cmd.Flags().Bool("dev", false, "run in ./doorstep-dev, to try things out")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		succession := takeSuccession()
		defer func() { succession.tell(err) }() // unless it was told before that all is well
		ready := func() { succession.tell(nil) }
		if *dev {
			if cmd.Flags().Changed("config") {
				return usage(errors.New("serve: --dev makes its own configuration, and does not go with -c"), "leave one of them out")
			}
			place, err := makeDev("doorstep-dev")
			if err != nil {
				return failed(err, "--dev makes a directory doorstep-dev here; go where you may write")
			}
			*path = place.config
			ready = func() {
				succession.tell(nil)
				place.explain(cmd.OutOrStdout())
			}
		}
		c, err := loadConfig(*path, cmd.ErrOrStderr())
		if err != nil {
			return err
		}
		return serve(cmd.Context(), *path, c, cmd.ErrOrStderr(), ready)
	}
	return cmd
}

// serve runs until a signal, or until ctx ends. path is where c was read, to be read again at a
// reload. ready is called when all sockets are open.
func serve(ctx context.Context, path string, c *config.Config, stderr io.Writer, ready func()) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	// The runtime ends a program that has panicked, or that a watchdog gave up, with exit status 2. That
	// says "configuration" here, and a service manager would not start it anew; a signal says what it is.
	debug.SetTraceback("crash")

	// The kernel would end the program when the reader of its log has gone (os/signal,
	// SIGPIPE); mail is worth more than the line.
	signal.Ignore(syscall.SIGPIPE)

	useProcessors()
	d := newDaemon(path, c, stderr)
	defer d.endLog()
	if c.Sandbox.Enabled { // without it a debugger of the same user can look in
		if err := forbidCores(); err != nil {
			d.log.Warn("core dumps cannot be forbidden", "error", err)
		}
	}
	if c.Store.Durability == mailbox.None {
		d.log.Warn("durability is \"none\": a power cut loses mail that was acknowledged")
	}
	problems := c.CheckSystem() // as whoever starts it: root sees more than who runs it
	if err := d.start(ctx); err != nil {
		return err
	}
	// What is missing now may come later, a mount for one; until then its mail is deferred.
	for _, p := range problems {
		d.log.Warn("the configuration does not fit this machine", "problem", p.String())
	}
	if f, err := os.Open(path); err == nil {
		_ = f.Close() // it was only to be seen
	} else {
		d.log.Warn("the configuration cannot be reloaded by the user who runs the server", "error", err)
	}
	return d.run(ctx, stop, ready)
}
