package outbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
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
	d := &Draft{box: b, name: newName(b.opts.Host), group: e.group(), size: int64(len(content))}
	if err := b.reserve(d.size); err != nil {
		return nil, err
	}
	err = b.ask(ctx, d.create(content), func() { _ = d.discard() }, func() {
		if !d.begun.Load() {
			_ = d.discard() // which only gives back the room
		}
	})
	if err != nil {
		b.stuck(err)
		return nil, fmt.Errorf("stage report: %w", err)
	}
	return d, nil
}

func (d *Draft) create(content []byte) func() error {
	return func() error {
		d.begun.Store(true)
		if err := d.box.disk.Create(d.box.path("tmp", d.name), content); err != nil {
			return errors.Join(err, d.discard())
		}
		return nil
	}
}

// Publish has entries sent. After an error some of them may be sent all the same, and the others are lost: what they
// are about has happened, and cannot be undone.
func (b *Box) Publish(ctx context.Context, drafts ...*Draft) error {
	err := b.ask(ctx, func() (err error) {
		for _, d := range drafts {
			d.ended.Do(func() { err = errors.Join(err, d.publish()) })
		}
		return errors.Join(err, b.disk.SyncDir(filepath.Join(b.opts.Dir, "new")))
	}, nil, nil)
	if err != nil {
		b.opts.Hooks.report(Lost, len(drafts))
		b.stuck(err)
		return fmt.Errorf("publish report: %w", err)
	}
	b.opts.Hooks.report(Queued, len(drafts))
	return nil
}

func (d *Draft) publish() error {
	if err := d.box.disk.Rename(d.box.path("tmp", d.name), d.box.path("new", d.name)); err != nil {
		d.box.release(d.size)
		return err
	}
	d.box.add(d)
	return nil
}

// Discard removes entries that were not published.
func (b *Box) Discard(ctx context.Context, drafts ...*Draft) error {
	err := b.ask(ctx, func() (err error) {
		for _, d := range drafts {
			err = errors.Join(err, d.discard())
		}
		return err
	}, nil, nil)
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
		if err = d.box.disk.Remove(d.box.path("tmp", d.name)); errors.Is(err, errNotThere) {
			err = nil
		}
	})
	return err
}

// ask has a step taken in one of few places, so that few threads hang if the file system does. late follows the step if
// nothing waits for it any more, and over is last.
func (b *Box) ask(ctx context.Context, step func() error, late, over func()) error {
	_, err := breaker.Ask(ctx, b.places, breaker.Question[struct{}]{
		Do:   func() (struct{}, error) { return struct{}{}, step() },
		Late: late,
		Over: over,
	})
	return err
}

// newName is unique: the time, so that the oldest come first, chance, and the host, which alone sends it.
func newName(host string) string {
	return fmt.Sprintf("%d.%s.%s", time.Now().UnixNano(), rand.Text()[:10], host)
}

func (b *Box) path(sub, name string) string { return filepath.Join(b.opts.Dir, sub, name) }
