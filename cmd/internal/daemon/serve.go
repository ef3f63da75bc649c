package daemon

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/mailbox"
)

// Serve runs until a signal, or until ctx ends. path is where c was read, to be read again at a
// reload. ready is called when all sockets are open.
func Serve(ctx context.Context, path string, c *config.Config, stderr io.Writer, ready func()) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	FailBySignal()

	// The kernel would end the program when the reader of its log has gone (os/signal,
	// SIGPIPE); mail is worth more than the line.
	signal.Ignore(syscall.SIGPIPE)

	d := newDaemon(path, c, stderr)
	useProcessors(d.room.Threads)
	defer d.endLog()
	// From here on, though they are followed when all sockets are open: until a program takes these signals, they end
	// it, and who sends one goes by what the log says.
	d.signals = make(chan os.Signal, 1)
	signal.Notify(d.signals, syscall.SIGHUP, syscall.SIGUSR2)
	if c.Sandbox.Enabled { // without it a debugger of the same user can look in
		if err := forbidCores(); err != nil {
			d.log.Warn("core dumps cannot be forbidden", "error", err)
		}
	}
	if c.Store.Durability == mailbox.None {
		d.log.Warn("durability is \"none\": a power cut loses mail that was acknowledged")
	}
	in, err := inherit()
	if err != nil {
		return err
	}
	// As the user who starts it: root sees more than who runs it.
	problems := c.CheckSystem(in.among(append(slices.Clone(c.Listen), c.Admin.Socket))...)
	if err := d.start(ctx, in); err != nil {
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
