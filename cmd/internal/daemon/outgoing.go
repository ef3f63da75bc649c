package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/build"
	"github.com/doorstep-mail/doorstep/cmd/internal/observe"
	"github.com/doorstep-mail/doorstep/config"
	"github.com/doorstep-mail/doorstep/delivery/outbox"
	"github.com/doorstep-mail/doorstep/delivery/sender"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// Reports of success wait in one outbox for as long as the process lives, whatever configurations come and go. They
// are sent by the configuration in force.

const (
	// boxPatience is how long the start, or a reload, waits for the outbox. It goes on without: the outbox is tried again.
	boxPatience = 5 * time.Second
	// lastReports is how long a stop waits for those that are being handed over.
	lastReports = outbox.LastReplies + time.Second
)

var errNoServer = errors.New("the configuration has no [submission] any more")

// outgoing is the outbox, from the first configuration on that has [submission].
type outgoing struct {
	log *slog.Logger

	mu    sync.Mutex         // held for moments
	box   *outbox.Box        // nil: there was none yet
	stop  context.CancelFunc // ends the sending; nil: it has not begun
	ended chan struct{}      // closed when it has ended
}

// outbox returns the outbox; nil where there is none yet.
func (o *outgoing) outbox() *outbox.Box {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.box
}

// open returns the outbox, which it opens where it is not open yet. It is called by the start, or a reload: by one at a
// time.
func (o *outgoing) open(c *config.Config, w *observe.Observers) (*outbox.Box, error) {
	if box := o.outbox(); box != nil {
		return box, nil
	}
	box, err := build.Outbox(c, w, o.log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), boxPatience)
	defer cancel()
	if err := box.Prepare(ctx); err != nil {
		o.log.Error("the outbox cannot be used: DSN is not offered until it can", "dir", c.Submission.Outbox, "error", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.box = box
	return box, nil
}

// sendBy has what waits sent as a configuration says that has come into force in place of another, until end. Each
// report is sent by what sends returns then; nil: nothing sends any more.
func (o *outgoing) sendBy(now, before config.Submission, sends func() *sender.Sender) {
	box := o.outbox()
	if box == nil {
		return
	}
	box.Limit(outbox.Limits{Expire: now.Expire, Withdraw: now.Withdraw, PerSender: now.Reports.PerSender})
	if now != before {
		box.Flush() // what was wrong before may be right now
	}
	o.begin(sends)
}

// begin sends what waits, unless something does already.
func (o *outgoing) begin(sends func() *sender.Sender) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, box := make(chan struct{}), o.box
	o.stop, o.ended = cancel, ended
	go guard.Run(o.log, "outbox", func() {
		defer close(ended)
		box.Run(ctx, func(ctx context.Context, entries []outbox.Entry) outbox.Verdict {
			if s := sends(); s != nil {
				return s.Send(ctx, entries)
			}
			return outbox.Verdict{Err: errNoServer, Temporary: true, Down: true}
		})
	})
}

// end ends the sending. What waits stays in the outbox, and what is being handed over may come to its end: else it
// would be sent again after the start.
func (o *outgoing) end() {
	o.mu.Lock()
	stop, ended, box := o.stop, o.ended, o.box
	o.mu.Unlock()
	if stop == nil {
		return
	}
	stop()
	select {
	case <-ended:
		box.Close()
	case <-time.After(lastReports): // its file system hangs
	}
}
