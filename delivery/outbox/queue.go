package outbox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

const (
	// maxGroup is the most recipients of one report: each has a descriptor until it is sent.
	maxGroup = 100
	// maxEntry bounds what is read of a file, in octets.
	maxEntry = 256 << 10
)

// A held entry is locked: no other process sends it.
type held struct {
	Entry
	name string
	file file
}

// A queue is what is due, in the order in which it is to be sent.
type queue struct {
	box   *Box
	names []string
	ahead *held // of the next group
}

// due are the names of what is to be sent now, those that may be sent as one side by side.
func (b *Box) due(now time.Time) *queue {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := &queue{box: b}
	if now.Before(b.quiet) {
		return q
	}
	for name, a := range b.waiting {
		if !a.over && !now.Before(a.next) {
			q.names = append(q.names, name)
		}
	}
	slices.SortFunc(q.names, func(x, y string) int {
		return cmp.Or(cmp.Compare(b.waiting[x].group, b.waiting[y].group),
			b.waiting[x].since.Compare(b.waiting[y].since))
	})
	return q
}

// group holds the next entries that may be sent as one; nil: none is left.
func (q *queue) group(ctx context.Context) []*held {
	first := q.next(ctx)
	if first == nil {
		return nil
	}
	group := []*held{first}
	for len(group) < maxGroup {
		next := q.next(ctx)
		if next == nil {
			break
		}
		if next.Entry.group() != first.Entry.group() || next.Sender != first.Sender {
			q.ahead = next
			break
		}
		group = append(group, next)
	}
	return group
}

// next holds the next entry that is to be sent; nil: none is left.
func (q *queue) next(ctx context.Context) (h *held) {
	if q.ahead != nil {
		h, q.ahead = q.ahead, nil
		return h
	}
	for len(q.names) > 0 && h == nil {
		name := q.names[0]
		q.names = q.names[1:]
		var err error
		if h, err = q.hold(ctx, name); errors.Is(err, breaker.ErrHangs) || ctx.Err() != nil {
			q.names = nil
		}
	}
	return h
}

// close lets go of what is held and not sent.
func (q *queue) close() {
	if q.ahead != nil {
		q.box.letGo([]*held{q.ahead})
	}
}

// hold locks and reads an entry. It is nil where that is not to be sent: another process is at it, or has sent it, or
// the file is damaged. An error is that of the file system.
func (q *queue) hold(ctx context.Context, name string) (*held, error) {
	b := q.box
	content, f, err := q.lock(ctx, name)
	switch {
	case err == nil:
	case errors.Is(err, errNotThere):
		b.done(name)
		return nil, nil
	case errors.Is(err, errBusy):
		b.later(name)
		return nil, nil
	case ctx.Err() != nil:
		return nil, err
	default:
		b.later(name)
		b.opts.Log.Error("report cannot be read", "entry", name, "error", err)
		return nil, err
	}
	h := &held{name: name, file: f}
	if h.Entry, err = decode(content); err == nil {
		return h, nil
	}
	b.letGo([]*held{h})
	if errors.Is(err, errNewer) && !b.isOld(name) {
		b.later(name)
		b.opts.Log.Warn("report is left to a newer program", "entry", name, "error", err)
		return nil, nil
	}
	return nil, q.setAside(ctx, name, err)
}

// lock locks and reads a file.
func (q *queue) lock(ctx context.Context, name string) ([]byte, file, error) {
	b := q.box
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	type locked struct {
		content []byte
		file    file
	}
	var late locked // which came too late
	got, err := breaker.Ask(ctx, b.places, breaker.Question[locked]{
		Do: func() (_ locked, err error) {
			late.content, late.file, err = b.disk.hold(b.disk.path("new", name))
			return late, err
		},
		Late: func() {
			if late.file != nil {
				_ = late.file.Close()
			}
		},
	})
	return got.content, got.file, err
}

// letGo lets other processes have entries. The kernel may need the file system for that.
func (b *Box) letGo(group []*held) {
	ctx, cancel := context.WithTimeout(context.Background(), stepPatience)
	defer cancel()
	_ = b.ask(ctx, question{Always: true, Do: step(func() error { return closeAll(group) })}) // nothing was written
}

func closeAll(group []*held) (err error) {
	for _, h := range group {
		if h.file != nil {
			err = errors.Join(err, h.file.Close())
		}
	}
	return err
}

// setAside keeps a file that cannot be sent where a person may look at it.
func (q *queue) setAside(ctx context.Context, name string, why error) error {
	b := q.box
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := b.ask(ctx, question{Do: step(func() error {
		return b.disk.Rename(b.disk.path("new", name), b.disk.path("failed", name))
	})})
	b.opts.Log.Error("report dropped", "reason", "damaged", "entry", name, "error", errors.Join(why, err))
	if err == nil {
		b.opts.Hooks.report(Damaged, 1)
	}
	if err == nil || errors.Is(err, errNotThere) {
		b.done(name)
		return nil
	}
	b.later(name)
	return err
}

// isOld reports whether an entry has waited as long as one may.
func (b *Box) isOld(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.waiting[name]
	return a != nil && time.Since(a.since) >= b.opts.Expire
}

// done forgets an entry.
func (b *Box) done(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(name)
}

// later has entries wait for the next try. It returns how long, and how many tries there were.
func (b *Box) later(names ...string) (pause time.Duration, tries int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range names {
		a := b.waiting[name]
		if a == nil {
			continue
		}
		pause = min(b.opts.Retry<<min(a.tries, 20), b.opts.MaxRetry)
		a.tries++
		a.next = time.Now().Add(pause)
		tries = max(tries, a.tries)
	}
	return pause, tries
}
