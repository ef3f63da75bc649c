package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
)

// copiesAtOnce bounds the copies of one message that are on their way at the same time. Each
// may hold three descriptors.
const copiesAtOnce = 64

// errEnded says that Commit, CommitAll or Close came before.
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
	if len(m.deliveries) == 1 {
		d := m.deliveries[0]
		d.settle(d.deliverWhenFree(ctx, nil))
	} else {
		m.deliverEach(ctx)
	}
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
		if d.isRefused() {
			d.settle(d.deliverWhenFree(ctx, nil)) // which it is not
			return
		}
		if !busy.TryAcquire(d.to.inbox()) {
			d.instead = nil // this worker does not wait for the copy
			late.Go(func() { d.settle(d.deliverWhenFree(ctx, waiting)) })
			return
		}
		defer busy.Release(d.to.inbox())
		d.settle(d.deliverInPlace(ctx))
	})
	late.Wait()
}

// CommitAll delivers all copies or none: it makes the content of all durable before it
// publishes any, and after an error nothing of any stays. done is called once, as soon as the outcome is known: with
// nil, or the error of the first copy that failed. As with Commit, it is an ErrHangs when a file system hangs, before
// CommitAll returns, and copies that were being published by then may be stored all the same.
func (m *Message) CommitAll(ctx context.Context, done func(err error)) {
	if err := m.end(); err != nil {
		done(err)
		return
	}
	defer m.release()
	m.observe, m.doneAll = m.store().opts.Hooks.begin(len(m.deliveries)), done
	err := guard.Call(func() error { return m.allOrNone(ctx) })
	if err != nil {
		m.fail(err)
	}
	if m.settle(err); m.raised != nil {
		panic(m.raised)
	}
}

// settle reports the outcome of CommitAll, once.
func (m *Message) settle(err error) {
	m.settled.Do(func() {
		m.raised = guard.Call(func() error {
			for range m.deliveries {
				m.observe(err)
			}
			m.doneAll(err)
			return nil
		})
	})
}

// A whole is a message whose copies stand or fall together.
type whole Message

// Abandon answers for all because one hangs.
func (w *whole) Abandon(err error) {
	m := (*Message)(w)
	m.failed.Store(true)
	m.settle(err)
}

// allOrNone is CommitAll, but for what has to be taken back after an error.
func (m *Message) allOrNone(ctx context.Context) error {
	if err := m.firstError(); err != nil {
		return err
	}
	release, err := m.acquireAll(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := m.together(ctx, func(d *delivery) error { return d.reserve(ctx) }); err != nil {
		return err // before a folder is made for any
	}
	if err := m.together(ctx, func(d *delivery) error { return d.stage(ctx) }); err != nil {
		return err
	}
	// No way back halfway: either ctx has ended before the first is seen, or all go.
	if err := ctx.Err(); err != nil {
		return err
	}
	through := context.WithoutCancel(ctx)
	publish := func(d *delivery) error { return m.store().committer.Publish(through, &d.File) }
	if err := m.together(through, publish); err != nil {
		return err
	}
	m.settle(nil)
	m.forEach(func(d *delivery) {
		d.fileSystem().Copies.BeginAnyway(&d.place, (*whole)(m))
		defer d.place.End()
		d.leave()
	})
	return nil
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

// together takes one step with all copies, each in a place of its file system, and begins no more of them after a
// failure.
func (m *Message) together(ctx context.Context, step func(*delivery) error) error {
	m.forEach(func(d *delivery) {
		if m.failed.Load() {
			return
		}
		if err := d.fileSystem().Copies.Begin(ctx, &d.place, (*whole)(m)); err != nil {
			d.err = d.drop(err)
			m.failed.Store(true)
			return
		}
		defer d.place.End()
		if err := guard.Call(func() error { return step(d) }); err != nil {
			d.err = d.withdraw(err)
			m.failed.Store(true)
		}
	})
	if err := m.firstError(); err != nil {
		return err
	}
	if m.failed.Load() {
		return ErrHangs // and it was reported
	}
	return nil
}

func (m *Message) firstError() error {
	for _, d := range m.deliveries {
		if d.err != nil {
			return d.err
		}
	}
	return nil
}

// forEach calls do for every copy, several at once, and returns when all are done. Where one hangs, another worker goes
// on in the place of its own.
func (m *Message) forEach(do func(d *delivery)) {
	var workers guard.Group
	var next atomic.Int64
	var work func()
	another := func() { workers.Go(work) }
	work = func() {
		for i := int(next.Add(1) - 1); i < len(m.deliveries); i = int(next.Add(1) - 1) {
			m.deliveries[i].instead = another
			do(m.deliveries[i])
		}
	}
	for range min(len(m.deliveries), copiesAtOnce) {
		workers.Go(work)
	}
	workers.Wait()
}

// acquireAll acquires a delivery slot of each mailbox, once, and always in the same order: two messages
// that wait for one another's would wait forever. It returns what releases them.
func (m *Message) acquireAll(ctx context.Context) (release func(), err error) {
	busy := m.store().busy
	inboxes := make([]inbox, 0, len(m.deliveries))
	for _, d := range m.deliveries {
		inboxes = append(inboxes, d.to.inbox())
	}
	slices.SortFunc(inboxes, func(a, b inbox) int {
		return cmp.Or(cmp.Compare(a.Root, b.Root), cmp.Compare(a.Path, b.Path))
	})
	inboxes = slices.Compact(inboxes)
	held := 0
	release = func() {
		for _, box := range inboxes[:held] {
			busy.Release(box)
		}
	}
	for _, box := range inboxes {
		waiting, stop := m.store().fileSystems.Of(box.Root, box.Path).While(ctx)
		err := busy.Acquire(waiting, box)
		stop()
		if err != nil {
			release()
			return nil, fmt.Errorf("wait for other deliveries to %s/%s: %w", box.Root, box.Path, err)
		}
		held++
	}
	return release, nil
}
