package daemon

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

const (
	// lastWarnings is how long warnings that are on their way may take when there are no sessions any more.
	lastWarnings = 5 * time.Second
	// lastCloses is how much longer all else may take, such as a database that does not hang up.
	lastCloses = 3 * time.Second
)

// giveBack closes what configurations hold, and ends the programs that were started for them. What does not
// end in time is left: the kernel closes it with the process.
func (d *daemon) giveBack() {
	d.mu.Lock()
	d.beside("stop", func() {
		if err := d.now.close(d.patience); err != nil {
			d.log.Error("stop", "error", err)
		}
	})
	for g, waited := range d.earlier {
		if !waited { // a socket that failed to go over left it in force
			d.beside("stop", func() { _ = g.close(d.patience, d.now) }) // what d.now.close says is enough
		}
	}
	d.mu.Unlock()
	defer time.AfterFunc(lastWarnings, d.hurry).Stop()
	closed := make(chan struct{})
	go guard.Run(d.log, "stop", func() {
		defer close(closed)
		d.closing.Wait()
	})
	select {
	case <-closed:
	case <-time.After(lastWarnings + lastCloses):
		d.log.Warn("stopped with something left that did not end: a warning's program, or a connection to a directory")
	}
}

// beside closes something in a goroutine that giveBack waits for. d.mu is held.
func (d *daemon) beside(job string, end func()) {
	d.closing.Go(func() { guard.Run(d.log, job, end) })
}

// refuse closes the sockets: nobody is greeted any more, whatever has to be waited for before the servers
// can be shut down. So it takes no lock.
func (d *daemon) refuse() {
	for _, door := range d.doors {
		if err := door.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			d.log.Error("close a socket", "error", fmt.Errorf("%s: %w", door.name(), err))
		}
	}
}
