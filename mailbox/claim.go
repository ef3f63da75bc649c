package mailbox

import (
	"context"
	"errors"
	"fmt"
)

// A claim is the room that a copy has got in a mailbox with a quota.
type claim struct {
	store   *Store
	to      Dest
	home    int
	meter   *meter
	size    Usage
	before  Usage // what the mailbox held, with all that is on its way
	granted bool
	counted bool // in maildirsize
}

// claimRoom gets room for the copy, if its mailbox has a quota.
func (f *mailfile) claimRoom(ctx context.Context) error {
	s := f.store()
	if !s.counts(f.to) || f.claim != nil {
		return nil
	}
	home, err := s.openHome(f.to)
	if err != nil {
		return err
	}
	octets := f.sizes.plus(f.msg.content.ends.sizes).disk
	c := &claim{store: s, to: f.to, home: home, meter: s.meters.take(f.to), size: Usage{octets, 1}}
	f.claim = c // leave gives it back, whatever happens
	ask := asking{to: c.to, home: home, meter: c.meter, octets: octets, force: f.ignoreQuota, got: c.got}
	done, err := s.ask(ask)
	if !done && err == nil {
		c.meter.moving.Lock()
		defer c.meter.moving.Unlock()
		err = s.askSurely(ctx, ask)
	}
	if err != nil && !errors.Is(err, ErrOverQuota) { // which names the mailbox
		err = fmt.Errorf("quota of %s: %w", f.to.Inbox(), err)
	}
	return err
}

// got takes the room. meter.mu is held.
func (c *claim) got(held Usage) {
	c.before, c.granted = held, true
	c.meter.due = c.meter.due.plus(c.size)
}

// publish publishes the copy, and counts it when that is done. A nil claim is for a mailbox without
// a quota.
func (c *claim) publish(do func() error) error {
	if c == nil {
		return do()
	}
	c.meter.moving.RLock()
	defer c.meter.moving.RUnlock()
	if err := do(); err != nil {
		return err
	}
	c.meter.tell(c.size, c.add)
	c.counted = true
	return nil
}

// add adds to maildirsize. The mail is in its place already, so that this cannot fail: a file that
// could not be added to is removed instead, and the next who asks counts. Where not even that can
// be done the total is too low, until it is counted the next time.
func (c *claim) add(change Usage) {
	s := c.store
	if err := s.as(c.to.Owner, func() error { return s.appendTally(c.home, change) }); err != nil {
		_ = s.as(c.to.Owner, func() error { return s.sys.unlink(c.home, maildirsize) })
	}
}

// withdraw gives the room back, because nothing came of the copy.
func (c *claim) withdraw() {
	if c == nil || !c.granted {
		return
	}
	c.granted = false
	back := Usage{}.minus(c.size)
	c.meter.claim(back)
	if c.counted {
		c.meter.tell(back, c.add)
	}
}

// leave ends the use of the mailbox.
func (c *claim) leave() {
	if c == nil || c.meter == nil {
		return
	}
	meter := c.meter
	c.meter = nil // first: no descriptor may be closed twice, whatever panics
	defer c.store.meters.giveBack(c.to, meter)
	c.store.shut(c.home)
}
