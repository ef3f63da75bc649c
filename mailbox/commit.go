package mailbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/doorstep-mail/doorstep/internal/guard"
)

// copiesAtOnce bounds the copies of one message that are on their way at the same time. Each
// may hold three descriptors.
const copiesAtOnce = 64

// errEnded says that Commit, CommitAll or Abort came before.
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
		for i := range m.files {
			done(i, err)
		}
		return
	}
	ended := m.store().opts.Hooks.begin(len(m.files))
	defer m.release()
	if len(m.files) == 1 {
		err := m.files[0].admitted(ctx, nil)
		ended(err)
		done(0, err)
		return
	}
	panics := make([]error, len(m.files)) // of done
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
	turns := newTurnstile[struct{}](copiesAtOnce)
	m.forEach(func(i int, f *mailfile) {
		if m.store().busy.tryEnter(f.place()) {
			defer m.store().busy.leave(f.place())
			done(i, f.deliver(ctx))
			return
		}
		late.Go(func() { done(i, f.admitted(ctx, turns)) })
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
	ended := m.store().opts.Hooks.begin(len(m.files))
	err = guard.Call(func() error { return m.allOrNone(ctx) })
	if err != nil {
		m.fail(err)
	}
	for range m.files {
		ended(err)
	}
	return err
}

// allOrNone is CommitAll, but for what has to be taken back after an error.
func (m *Message) allOrNone(ctx context.Context) error {
	if err := m.firstError(); err != nil {
		return err
	}
	leave, err := m.enterAll(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := m.together(func(f *mailfile) error { return f.seal(ctx) }); err != nil {
		return err
	}
	// No way back halfway: either ctx has ended before the first is seen, or all go.
	if err := ctx.Err(); err != nil {
		return err
	}
	through := context.WithoutCancel(ctx)
	if err := m.together(func(f *mailfile) error { return f.reveal(through) }); err != nil {
		return err
	}
	for _, f := range m.files {
		f.leave()
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
	if c.spill.carrier != nil && len(m.files) > 1 {
		c.spill.openSource() // copyTo tells those whom its failure concerns
	}
	return nil
}

// together takes one step with all copies and begins no more of them after a failure.
func (m *Message) together(step func(*mailfile) error) error {
	var failed atomic.Bool
	m.forEach(func(_ int, f *mailfile) {
		if failed.Load() {
			return
		}
		if err := guard.Call(func() error { return step(f) }); err != nil {
			f.err = f.withdraw(err)
			failed.Store(true)
		}
	})
	return m.firstError()
}

func (m *Message) firstError() error {
	for _, f := range m.files {
		if f.err != nil {
			return f.err
		}
	}
	return nil
}

// forEach calls do for every copy, several at once, and returns when all are done.
func (m *Message) forEach(do func(i int, f *mailfile)) {
	var workers guard.Group
	var next atomic.Int64
	for range min(len(m.files), copiesAtOnce) {
		workers.Go(func() {
			for i := int(next.Add(1) - 1); i < len(m.files); i = int(next.Add(1) - 1) {
				do(i, m.files[i])
			}
		})
	}
	workers.Wait()
}

// deliver takes the copy all the way. After an error or a panic, which is an error here, nothing of it
// stays.
func (f *mailfile) deliver(ctx context.Context) error {
	if f.err != nil {
		return f.err
	}
	err := f.msg.dropped[f] // only now: another copy may be made from this one's file
	if err == nil {
		err = guard.Call(func() error { return f.sealAndReveal(ctx) })
	}
	if err != nil {
		return f.withdraw(err)
	}
	return nil
}

func (f *mailfile) sealAndReveal(ctx context.Context) error {
	if err := f.seal(ctx); err != nil {
		return err
	}
	if err := f.reveal(ctx); err != nil {
		return err
	}
	f.leave()
	return nil
}

// seal takes the copy to where its content is durable and nobody sees it.
func (f *mailfile) seal(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deliver to %s: %w", f.to, err)
	}
	if err := f.open(ctx); err != nil {
		return err
	}
	if err := f.claimRoom(ctx); err != nil {
		return err
	}
	if f.store().opts.SingleCopy && len(f.msg.files) > 1 {
		return f.sealShared(ctx)
	}
	return f.store().committer.seal(ctx, f)
}

// reveal takes a sealed copy to where readers find it.
func (f *mailfile) reveal(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deliver to %s: %w", f.to, err)
	}
	return f.claim.publish(func() error {
		err := f.store().committer.publish(ctx, f)
		if errors.Is(err, errUnshared) {
			return f.publishAlone(ctx)
		}
		return err
	})
}
