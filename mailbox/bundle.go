package mailbox

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/mount"
)

// A bundle is one set of copies, or several that stand or fall together.
type bundle struct {
	sets    [][]*delivery
	spare   func(copy int, err error) bool
	members []*delivery // of all sets, each once
	doomed  atomic.Bool // it does not go: a copy has failed without which it does not, or one hangs
	hangs   chan struct{}
	hung    sync.Once // closes hangs

	mu        sync.Mutex
	waiting   int // members that are not staged, and have not failed
	undecided int
}

// takeTurn waits until the Maildirs of all large bundles may be open, as long as ctx lasts. One for which there is no
// room, beside those before it, is refused: when its client comes again those are delivered. The caller owes a call of
// release.
func (m *Message) takeTurn(ctx context.Context) (release func()) {
	turns, held := m.store().together, int64(0)
	var going []*bundle
	for _, b := range largeBundles(m.deliveries) {
		n := int64(len(b.members))
		if err := turns.fit(held + n); err != nil {
			b.refuse(err)
			continue
		}
		held, going = held+n, append(going, b)
	}
	if err := turns.take(ctx, held); err != nil {
		for _, b := range going {
			b.refuse(err)
		}
		return func() {}
	}
	return func() { turns.give(held) }
}

// largeBundles are those of these copies that need a turn, each once.
func largeBundles(copies []*delivery) (large []*bundle) {
	for _, d := range copies {
		for _, b := range d.in {
			if len(b.members) > fewTogether && b.members[0] == d {
				large = append(large, b)
			}
		}
	}
	return large
}

// refuse has the copies fail that are in no other bundle.
func (b *bundle) refuse(err error) {
	b.doomed.Store(true)
	for _, d := range b.members {
		if d.err == nil && d.isHopeless() {
			d.err = err
		}
	}
}

// spares reports whether the bundle may go without a copy that has failed.
func (b *bundle) spares(d *delivery, err error) bool { return b.spare != nil && b.spare(d.number, err) }

// giveUp answers for those that wait for one that hangs. They are taken back when it has returned.
func (b *bundle) giveUp(err error) {
	b.doomed.Store(true)
	b.hung.Do(func() { close(b.hangs) })
	for _, d := range b.members {
		if d.isLost() {
			d.settle(fmt.Errorf("%w: %v", ErrTogether, err))
		}
	}
}

// arrived notes that one more member is staged or has failed, and reports whether all have.
func (b *bundle) arrived() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting--
	return b.waiting == 0
}

// allDecided notes that one more member is decided, and reports whether all are.
func (b *bundle) allDecided() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.undecided--
	return b.undecided == 0
}

// conclude publishes the copies, or answers for them.
func (b *bundle) conclude(ctx context.Context, w breaker.Waiter) {
	var over []*delivery
	defer func() {
		for _, d := range over {
			d.tidy(w)
		}
	}()
	err := guard.Call(func() (err error) {
		over, err = b.commit(ctx)
		return err
	})
	if err == nil {
		for _, d := range over {
			d.settle(nil)
		}
		return
	}
	b.doomed.Store(true)
	for _, d := range b.members {
		if other, _ := d.hold(b); other == nil {
			d.lose(err)
			d.free()
		} else if d.isLost() { // the other fails too, and may hang
			d.settle(err)
			over = append(over, d)
		}
	}
}

// commit publishes the copies if all sets are complete, and returns those that are kept since then.
func (b *bundle) commit(ctx context.Context) (kept []*delivery, err error) {
	// No way back halfway: either ctx has ended before the first is seen, or all go.
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("deliver copies that go together: %w", err)
	}
	for _, d := range b.members { // always in the same order: two bundles that wait for one another's would wait forever
		if err := d.waitToHold(ctx, b); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTogether, err)
		}
		defer d.free()
	}
	if err := b.incomplete(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTogether, err)
	}
	if b.doomed.Load() {
		return nil, ErrTogether // one hangs, and was answered for
	}
	if err := b.publish(ctx); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTogether, err)
	}
	for _, d := range b.members { // while they are held, so that no bundle that fails takes one back
		if d.keep() {
			kept = append(kept, d)
		}
	}
	return kept, nil
}

// incomplete returns why one of the sets does not go.
func (b *bundle) incomplete() error {
	for _, set := range b.sets {
		if err := b.missing(set); err != nil {
			return err
		}
	}
	return nil
}

// missing returns why a set does not go.
func (b *bundle) missing(set []*delivery) (spared error) {
	goes := false
	for _, d := range set {
		switch err := d.failure(); {
		case err == nil:
			goes = true
		case !b.spares(d, err):
			return err
		default:
			spared = err
		}
	}
	if goes {
		return nil
	}
	return spared
}

// publish publishes the copies that are staged, but for those that another bundle has published: all of them are shown
// before the first directory is synced. Those of each file system have a place of their own there, and none while
// another is at work, which may hang.
func (b *bundle) publish(ctx context.Context) error {
	parts := b.parts()
	for _, part := range parts { // not to show copies beside others that have to wait
		if err := part[0].fileSystem().Err(); err != nil {
			return err
		}
	}
	for _, part := range parts {
		if err := part.inPlace(ctx, func(c durable.Committer, files []*durable.File) (int, error) {
			return c.Show(context.WithoutCancel(ctx), files)
		}); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx) // no way back halfway
	}
	var syncs guard.Group
	errs := make([]error, len(parts))
	for i, part := range parts {
		syncs.Go(func() { errs[i] = part.inPlace(ctx, durable.Committer.SyncNames) })
	}
	syncs.Wait()
	if err := cmp.Or(errs...); err != nil {
		return err
	}
	for _, part := range parts {
		for _, d := range part {
			d.published = true
		}
	}
	return nil
}

// A part is the copies of a bundle on one file system.
type part []*delivery

// parts are the copies that are staged and not published, in the order of their numbers.
func (b *bundle) parts() (all []part) {
	of := map[*mount.FileSystem]int{}
	for _, d := range b.members {
		if d.failure() != nil || d.published {
			continue
		}
		at := d.fileSystem()
		i, ok := of[at]
		if !ok {
			i, all = len(all), append(all, nil)
			of[at] = i
		}
		all[i] = append(all[i], d)
	}
	return all
}

// inPlace takes a step with all copies of the part in a place of their file system.
func (p part) inPlace(ctx context.Context, step func(durable.Committer, []*durable.File) (int, error)) error {
	first := p[0]
	if err := first.fileSystem().Copies.Begin(ctx, &first.place, first); err != nil {
		return err
	}
	files := make([]*durable.File, len(p))
	for i, d := range p {
		files[i] = &d.File
	}
	which := 0
	err := guard.Call(func() (err error) {
		which, err = step(first.store().committer, files)
		return err
	})
	if err != nil {
		p[which].fail(p[which].withdraw(err))
	}
	if awaited := first.place.End(); !awaited && err == nil {
		return ErrHangs // and was answered for
	}
	return err
}
