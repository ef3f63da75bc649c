package daemon

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// clockEvery is how often it is looked whether the clock was set.
	clockEvery = 10 * time.Second
	// clockStep is how much at once is worth a word; what keeps time slews less.
	clockStep = 10 * time.Second
)

// A clockWatch logs that the clock was set. Mail does not need it; readers of the log and of trace fields do.
type clockWatch struct {
	log *slog.Logger
	// ahead is by how much the clock is ahead of one that cannot be set.
	ahead func() (time.Duration, error)
}

func newClockWatch(log *slog.Logger) *clockWatch { return &clockWatch{log, clockAhead} }

// clockAhead compares with the time since the machine was started, sleep included (clock_gettime(2)).
func clockAhead() (time.Duration, error) {
	var now, up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return 0, err
	}
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return 0, err
	}
	return time.Duration(now.Nano() - up.Nano()), nil
}

// run looks until ctx ends.
func (c *clockWatch) run(ctx context.Context) {
	before, err := c.ahead()
	if err != nil {
		c.log.Warn("cannot find out whether the clock is set", "error", err)
		return
	}
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now, err := c.ahead()
		if err != nil {
			continue // it could be read before
		}
		if by := now - before; by.Abs() >= clockStep {
			c.log.Warn("the clock was set; mail goes on", "by", by.Round(time.Second).String(), "hint",
				"times before this line are by the old clock, here and in trace fields")
		}
		before = now
	}
}
