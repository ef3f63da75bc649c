package mailbox

import (
	"context"
	"errors"
	"sync"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
)

// copiesAtOnce bounds the copies of one message that are on their way at the same time. Each
// may hold three descriptors.
const copiesAtOnce = 64

// errEnded says that a commit or Close came before.
var errEnded = errors.New("message has ended")

// Commit delivers each copy on its own and returns when all have their outcome. done is
// called exactly once for each copy, as soon as its outcome is known, possibly from several
// goroutines: nil when the copy is durable, else why nothing of it stays.
//
// A panic on the way of a copy is the error of that copy, a *guard.Panic. One of done is raised again,
// in the goroutine of the caller, when all copies have their outcome.
//
// When ctx ends, copies that are not in new/ yet fail. A system call that is running cannot be cut short: when a file
// system hangs, done is called with an ErrHangs for the copies in it, and Commit returns when the file system does.
// Such a copy may be stored all the same.
func (m *Message) Commit(ctx context.Context, done func(copy int, err error)) {
	if err := m.end(); err != nil {
		for i := range m.deliveries {
			done(i, err)
		}
		return
	}
	defer m.release()
	m.observe, m.done = m.store().opts.Hooks.begin(len(m.deliveries)), done
	if d := &m.first; len(m.deliveries) == 1 && d.err == nil {
		d.settle(d.whenFree(ctx, nil, d.deliver))
	} else {
		m.deliverEach(ctx)
	}
	m.raise()
}

// raise raises the panic of a done again.
func (m *Message) raise() {
	for _, d := range m.deliveries {
		if d.raised != nil {
			panic(d.raised)
		}
	}
}

// deliverEach delivers each of several copies. Those to mailboxes that are busy wait aside, and are
// no more at once than the others when their turn comes.
func (m *Message) deliverEach(ctx context.Context) {
	var late guard.Group
	busy, waiting := m.store().busy, semaphore.New[struct{}](copiesAtOnce)
	m.forEach(func(d *delivery) {
		if d.err != nil {
			d.settle(d.drop(d.err))
			return
		}
		if !busy.TryAcquire(d.to.inbox()) {
			d.instead = nil // this worker does not wait for the copy
			late.Go(func() { d.settle(d.whenFree(ctx, waiting, d.deliver)) })
			return
		}
		defer busy.Release(d.to.inbox())
		d.settle(d.inPlace(ctx, d.deliver))
	})
	late.Wait()
}

// end closes the message for everything but its commit, and prepares that.
func (m *Message) end() error {
	if m.ended {
		return errEnded
	}
	m.ended = true
	c := m.content
	if err := guard.Call(c.finish); err != nil {
		m.fail(err)
	}
	if carrier := c.spill.carrier; carrier != nil && len(m.deliveries) > 1 {
		c.openSource() // copyTo reports its failure to the copies that it concerns
		if carrier.stranded {
			carrier.err = c.spill.sourceErr
		}
	}
	if m.store().opts.SingleCopy && len(m.deliveries) > 1 {
		for _, d := range m.deliveries {
			d.Shares = &m.shares
		}
	}
	return nil
}

// forEach calls do for every copy, several at once, and returns when all are done. Where one hangs, another worker goes
// on in the place of its own.
func (m *Message) forEach(do func(d *delivery)) {
	var workers guard.Group
	var mu sync.Mutex
	left := m.deliveries
	next := func() (d *delivery) {
		mu.Lock()
		defer mu.Unlock()
		if len(left) > 0 {
			d, left = left[0], left[1:]
		}
		return d
	}
	var work func()
	another := func() { // also when the last worker is about to end: while copies are left, none has
		mu.Lock()
		defer mu.Unlock()
		if len(left) > 0 {
			workers.Go(work)
		}
	}
	work = func() {
		for d := next(); d != nil; d = next() {
			d.instead = another
			do(d)
		}
	}
	for range min(len(m.deliveries), copiesAtOnce) {
		workers.Go(work)
	}
	workers.Wait()
}
