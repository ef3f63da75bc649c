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
// When ctx ends, copies that are not in new/ yet fail. A system call that is running cannot be
// cut short: on a file system that hangs, Commit hangs.
func (m *Message) Commit(ctx context.Context, done func(copy int, err error)) {
	if err := m.end(); err != nil {
		for i := range m.deliveries {
			done(i, err)
		}
		return
	}
	ended := m.store().opts.Hooks.begin(len(m.deliveries))
	defer m.release()
	if len(m.deliveries) == 1 {
		err := m.deliveries[0].deliverWhenFree(ctx, nil)
		ended(err)
		done(0, err)
		return
	}
	panics := make([]error, len(m.deliveries)) // of done
	m.deliverEach(ctx, func(i int, err error) {
		panics[i] = guard.Call(func() error {
			ended(err)
			done(i, err)
			return nil
		})
	})
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// deliverEach delivers each of several copies. Those to mailboxes that are busy wait aside, and are
// no more at once than the others when their turn comes.
func (m *Message) deliverEach(ctx context.Context, done func(copy int, err error)) {
	var late guard.Group
	busy, waiting := m.store().busy, semaphore.New[struct{}](copiesAtOnce)
	m.forEach(func(i int, d *delivery) {
		if busy.TryAcquire(d.to.inbox()) {
			defer busy.Release(d.to.inbox())
			done(i, d.outcome(d.deliver(ctx)))
			return
		}
		late.Go(func() { done(i, d.deliverWhenFree(ctx, waiting)) })
	})
	late.Wait()
}

// CommitAll delivers all copies or none: it makes the content of all durable before it
// publishes any, and after an error nothing of any stays. The error is that of the first copy
// that failed.
func (m *Message) CommitAll(ctx context.Context) (err error) {
	if err := m.end(); err != nil {
		return err
	}
	defer m.release()
	ended := m.store().opts.Hooks.begin(len(m.deliveries))
	err = guard.Call(func() error { return m.allOrNone(ctx) })
	if err != nil {
		m.fail(err)
	}
	for range m.deliveries {
		ended(err)
	}
	return err
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
	if err := m.together(func(d *delivery) error { return d.stage(ctx) }); err != nil {
		return err
	}
	// No way back halfway: either ctx has ended before the first is seen, or all go.
	if err := ctx.Err(); err != nil {
		return err
	}
	through := context.WithoutCancel(ctx)
	if err := m.together(func(d *delivery) error { return m.store().committer.Publish(through, &d.File) }); err != nil {
		return err
	}
	for _, d := range m.deliveries {
		d.leave()
	}
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
	if c.spill.carrier != nil && len(m.deliveries) > 1 {
		c.spill.openSource() // copyTo reports its failure to the copies that it concerns
	}
	if m.store().opts.SingleCopy && len(m.deliveries) > 1 {
		for _, d := range m.deliveries {
			d.Shares = &m.shares
		}
	}
	return nil
}

// together takes one step with all copies and begins no more of them after a failure.
func (m *Message) together(step func(*delivery) error) error {
	var failed atomic.Bool
	m.forEach(func(_ int, d *delivery) {
		if failed.Load() {
			return
		}
		if err := guard.Call(func() error { return step(d) }); err != nil {
			d.err = d.withdraw(err)
			failed.Store(true)
		}
	})
	return m.firstError()
}

func (m *Message) firstError() error {
	for _, d := range m.deliveries {
		if d.err != nil {
			return d.err
		}
	}
	return nil
}

// forEach calls do for every copy, several at once, and returns when all are done.
func (m *Message) forEach(do func(i int, d *delivery)) {
	var workers guard.Group
	var next atomic.Int64
	for range min(len(m.deliveries), copiesAtOnce) {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < len(m.deliveries); i = int(next.Add(1) - 1) {
				do(i, m.deliveries[i])
			}
		})
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
		if err := busy.Acquire(ctx, box); err != nil {
			release()
			return nil, fmt.Errorf("wait for other deliveries to %s/%s: %w", box.Root, box.Path, err)
		}
		held++
	}
	return release, nil
}
