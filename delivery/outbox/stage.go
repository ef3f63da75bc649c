package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

// ErrFull is an outbox at its bounds.
var ErrFull = errors.New("the outbox is full")

// A Draft is an entry that is durable, and not to be sent yet.
type Draft struct {
	box   *Box
	name  string
	group string // of those that may be sent as one
	size  int64
	since time.Time
	ended sync.Once   // by publication, or because it is discarded
	begun atomic.Bool // there may be a file
}

// Name is that of the file.
func (d *Draft) Name() string { return d.name }

// Stage makes an entry durable, as long as ctx lasts and the file system answers. Either Publish or Discard follows.
func (b *Box) Stage(ctx context.Context, e Entry) (*Draft, error) {
	content, err := e.encode()
	if err != nil {
		return nil, err
	}
	d := &Draft{
		box: b, name: b.disk.newName(), group: e.group(), size: int64(len(content)), since: time.Now(),
	}
	if err := b.reserve(d.size); err != nil {
		return nil, err
	}
	err = b.ask(ctx, question{Do: step(d.create(content)), Late: func() { _ = d.discard() }, Over: func() {
		if !d.begun.Load() {
			_ = d.discard() // which only gives back the room
		}
	}})
	if err != nil {
		b.blame(err)
		return nil, fmt.Errorf("stage report: %w", err)
	}
	return d, nil
}

func (d *Draft) create(content []byte) func() error {
	return func() error {
		d.begun.Store(true)
		if err := d.box.disk.create(d.box.disk.path("tmp", d.name), content); err != nil {
			return errors.Join(err, d.discard())
		}
		return nil
	}
}

// Publish has entries sent. What they are about has happened, and cannot be undone: after an error each is sent as soon
// as the file system lets it, unless this process ends before.
func (b *Box) Publish(ctx context.Context, drafts ...*Draft) error {
	err := b.ask(ctx, question{Always: true, Do: step(func() (err error) {
		for _, d := range drafts {
			d.ended.Do(func() { err = errors.Join(err, d.publish()) })
		}
		return errors.Join(err, b.disk.syncNames())
	})})
	if err != nil {
		b.opts.Hooks.report(Lost, len(drafts))
		b.blame(err)
		return fmt.Errorf("publish report: %w", err)
	}
	b.opts.Hooks.report(Queued, len(drafts))
	return nil
}

func (d *Draft) publish() error {
	err := d.box.disk.Rename(d.box.disk.path("tmp", d.name), d.box.disk.path("new", d.name))
	switch {
	case err == nil:
		d.box.add(d)
	case errors.Is(err, errNotThere): // someone has removed it
		d.box.release(d.size)
	default:
		d.box.mu.Lock()
		defer d.box.mu.Unlock()
		d.box.unpublished = append(d.box.unpublished, d)
	}
	return err
}

// Discard removes entries that were not published, also if ctx ends before.
func (b *Box) Discard(ctx context.Context, drafts ...*Draft) error {
	err := b.ask(ctx, question{Always: true, Do: step(func() (err error) {
		for _, d := range drafts {
			err = errors.Join(err, d.discard())
		}
		return err
	})})
	if err != nil {
		return fmt.Errorf("discard report: %w", err)
	}
	return nil
}

func (d *Draft) discard() (err error) {
	d.ended.Do(func() {
		d.box.release(d.size)
		if !d.begun.Load() {
			return
		}
		if err = d.box.disk.Remove(d.box.disk.path("tmp", d.name)); errors.Is(err, errNotThere) {
			err = nil
		}
	})
	return err
}

// A question is a step with the file system.
type question = breaker.Question[struct{}]

func step(do func() error) func() (struct{}, error) {
	return func() (struct{}, error) { return struct{}{}, do() }
}

// ask has a step taken in one of few places, so that few threads hang if the file system does.
func (b *Box) ask(ctx context.Context, q question) error {
	_, err := breaker.Ask(ctx, b.places, q)
	return err
}
