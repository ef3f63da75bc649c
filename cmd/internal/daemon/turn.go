package daemon

import (
	"fmt"
	"time"
)

// turnPatience is how long a reload or an upgrade waits for the one before it.
const turnPatience = 5 * time.Second

// A turn is taken by one at a time. Nobody waits for it without end: what the one before has to read may be
// on a file system that hangs.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take() error {
	select {
	case t <- struct{}{}:
		return nil
	case <-time.After(turnPatience):
		return fmt.Errorf("another reload or upgrade is under way, and did not end within %s", turnPatience)
	}
}

func (t turn) give() { <-t }
