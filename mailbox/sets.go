package mailbox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
)

// ErrTogether says that a copy could be delivered, and was not because of another one in its set.
var ErrTogether = errors.New("not delivered without another copy of the message")

// Sets say which copies of a message stand or fall together.
type Sets struct {
	// Of has the numbers of the copies of each set. A copy may be in several, and is delivered if one of them is. One
	// that is in none is not delivered.
	Of [][]int
	// Together has the sets stand or fall together, too.
	Together bool
	// Spare reports whether a set goes without a copy that failed with err, if another of its copies goes. [never]
	Spare func(copy int, err error) bool
}

// CommitSets is Commit for copies in sets: the content of all copies of a set is durable before one is published, and
// if one of them cannot be, nothing of the set stays. Should one fail at the publication itself, the others have been
// in their new/ for as long as it takes to rename them all and, if it was the sync, to sync their directories.
func (m *Message) CommitSets(ctx context.Context, sets Sets, done func(copy int, err error)) {
	if err := m.end(); err != nil {
		for i := range m.deliveries {
			done(i, err)
		}
		return
	}
	defer m.release()
	m.observe, m.done = m.store().opts.Hooks.begin(len(m.deliveries)), done
	sets.bundle(m.deliveries)
	defer m.takeTurn(ctx)()
	m.stageEach(ctx)
	m.raise()
}

// bundle makes bundles of the sets, and puts the copies into them.
func (s *Sets) bundle(copies []*delivery) {
	b := &bundle{}
	for i, numbers := range s.Of {
		if i == 0 || !s.Together {
			b = &bundle{spare: s.Spare, hangs: make(chan struct{})}
		}
		var set []*delivery
		for _, number := range numbers {
			d := copies[number]
			set = append(set, d)
			if !slices.Contains(d.in, b) {
				b.waiting++
				b.undecided++
				d.in = append(d.in, b)
			}
		}
		b.sets = append(b.sets, set)
	}
	for _, d := range copies {
		for _, b := range d.in {
			b.members = append(b.members, d) // in the order of their numbers
		}
	}
	for _, d := range copies { // the smaller one first: what goes alone does not wait for the others
		slices.SortStableFunc(d.in, func(a, b *bundle) int { return cmp.Compare(len(a.members), len(b.members)) })
		if d.to.MakeFolder > 0 && len(d.in) > 0 && len(d.in[0].members) > 1 {
			d.opens = make(chan struct{})
		}
	}
}

// stageEach stages each copy, and has those bundles go on whose last one it was. No slot of a mailbox is held while a
// copy waits for others, so that messages never wait for one another's in a circle.
func (m *Message) stageEach(ctx context.Context) {
	var late guard.Group
	busy, waiting := m.store().busy, semaphore.New[struct{}](copiesAtOnce)
	m.forEach(func(d *delivery) {
		switch {
		case d.err != nil || d.isHopeless():
			d.staged(ctx, d.drop(cmp.Or(d.err, ErrTogether)))
		case d.opens != nil:
			d.instead = nil // this worker does not wait for the copy
			late.Go(func() { d.staged(ctx, d.stageLast(ctx, waiting)) })
		case busy.TryAcquire(d.to.inbox()):
			err := d.inPlace(ctx, d.stage)
			busy.Release(d.to.inbox())
			d.staged(ctx, err)
		default:
			d.instead = nil // this worker does not wait for the copy
			late.Go(func() { d.staged(ctx, d.whenFree(ctx, waiting, d.stage)) })
		}
	})
	late.Wait()
}

// stageLast stages a copy that may make a folder, which is not made for mail that does not come after all: when the
// others of one of its bundles are staged or, if they may make folders too, have room.
func (d *delivery) stageLast(ctx context.Context, waiting *semaphore.Keyed[struct{}]) error {
	if d.to.Quota != (Quota{}) {
		if err := d.whenFree(ctx, waiting, d.reserve); err != nil {
			return err
		}
	}
	d.decide()
	<-d.opens
	if d.isHopeless() {
		return d.drop(ErrTogether)
	}
	return d.whenFree(ctx, waiting, d.stage)
}

// A membership is what becomes of a copy in bundles. It is kept if one of them goes.
type membership struct {
	published bool // and durable; of the holder

	opens   chan struct{} // closed when the copy may make its folder, or is hopeless; nil: it waits for none
	opened  sync.Once     // closes opens
	decided sync.Once

	mu     sync.Mutex
	holder *bundle       // publishes the copy, or takes it back
	freed  chan struct{} // closed when it no longer does
	failed error         // why the copy is not delivered; nothing of it stays
	kept   bool
}

// hold makes the bundle the holder of the copy, if it has none. Else it returns the holder, and when that is over.
func (d *delivery) hold(b *bundle) (other *bundle, freed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.holder != nil {
		return d.holder, d.freed
	}
	d.holder, d.freed = b, make(chan struct{})
	return nil, nil
}

func (d *delivery) free() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holder = nil
	close(d.freed)
}

// waitToHold is hold when that is free, as long as ctx lasts and the other holder does not hang.
func (d *delivery) waitToHold(ctx context.Context, b *bundle) error {
	for {
		other, freed := d.hold(b)
		if other == nil {
			return nil
		}
		select {
		case <-freed:
		case <-other.hangs:
			return ErrHangs
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// isHopeless reports whether none of its bundles can go any more.
func (d *delivery) isHopeless() bool {
	return !slices.ContainsFunc(d.in, func(b *bundle) bool { return !b.doomed.Load() })
}

// staged notes that the copy is staged, or why not: then nothing of it stays.
func (d *delivery) staged(ctx context.Context, err error) {
	if err != nil {
		d.fail(err)
	}
	var ready []*bundle
	for _, b := range d.in {
		if err != nil && b.incomplete() != nil {
			b.doomed.Store(true)
		}
		if b.arrived() {
			ready = append(ready, b)
		}
	}
	d.decide()
	var others guard.Group
	for i, b := range ready {
		if i < len(ready)-1 { // one that hangs does not hold up the others
			others.Go(func() { b.conclude(ctx, (*substituted)(d)) })
			continue
		}
		b.conclude(ctx, (*substituted)(d))
	}
	others.Wait()
}

// decide notes that nothing but its folder is left that the copy could fail for, or that it has failed. Copies that
// make folders go on, once this holds for all of a bundle.
func (d *delivery) decide() {
	d.decided.Do(func() {
		for _, b := range d.in {
			if !b.allDecided() {
				continue
			}
			for _, other := range b.members {
				if other.opens != nil && (!b.doomed.Load() || other.isHopeless()) {
					other.opened.Do(func() { close(other.opens) })
				}
			}
		}
	})
}

// A substituted is a copy whose worker only tidies up.
type substituted delivery

// Abandon begins another worker.
func (d *substituted) Abandon(error) {
	if d.instead != nil {
		d.instead()
	}
}

// fail notes why the copy, of which nothing stays, is not delivered.
func (d *delivery) fail(err error) {
	d.mu.Lock()
	d.failed = err
	d.mu.Unlock()
	d.settle(err)
}

func (d *delivery) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// keep notes that one of its bundles has gone with it. It reports whether that was the first.
func (d *delivery) keep() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed != nil || d.kept {
		return false
	}
	d.kept = true
	return true
}

// isLost reports whether the copy is staged, and goes with no bundle any more.
func (d *delivery) isLost() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed == nil && !d.kept && d.isHopeless()
}

// lose takes back a copy if it is lost. The caller holds it.
func (d *delivery) lose(err error) {
	if d.isLost() {
		d.fail(errors.Join(err, d.alone(d.takeBack, nil)))
	}
}

// tidy ends the use of a mailbox, and takes back a copy that is lost.
func (d *delivery) tidy(w breaker.Waiter) {
	if d.isLost() {
		for other, freed := d.hold(d.in[0]); other != nil; other, freed = d.hold(d.in[0]) {
			<-freed // it may hang
		}
		d.lose(ErrTogether)
		d.free()
		return
	}
	if d.failure() != nil {
		return // another bundle has taken it back, or it will be when its file system answers
	}
	d.fileSystem().Copies.BeginAnyway(&d.place, w)
	defer d.place.End()
	if err := guard.Call(func() error { d.leave(); return nil }); err != nil {
		d.raised = err
	}
}
