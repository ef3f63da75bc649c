package daemon

import (
	"context"
	"os"
	"syscall"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

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
		d.upgraded(d.upgrade())
	}
}
