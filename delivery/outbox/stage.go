package outbox

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// ErrFull is an outbox at its bounds.
var ErrFull = errors.New("the outbox is full")

// A Draft is an entry that is durable, and not to be sent yet.
type Draft struct {
	box         *Box
	name        string
	transaction string
	size        int64
	once        sync.Once
}

// Stage makes an entry durable. Either Publish or Discard follows.
func (b *Box) Stage(e Entry) (*Draft, error) {
	content, err := e.encode()
	if err != nil {
		return nil, err
	}
	d := &Draft{box: b, name: b.newName(), transaction: e.Transaction, size: int64(len(content))}
	if err := b.reserve(d.size); err != nil {
		return nil, err
	}
	if err := b.disk.Create(b.path("tmp", d.name), content); err != nil {
		b.release(d.size)
		b.stuck(err)
		err = fmt.Errorf("stage report: %w", err)
		if wrong := b.disk.Remove(b.path("tmp", d.name)); wrong != nil && !errors.Is(wrong, errNotThere) {
			err = errors.Join(err, wrong)
		}
		return nil, err
	}
	return d, nil
}

// Publish has the entry sent. After an error it is not known whether it will be.
func (d *Draft) Publish() (err error) {
	d.once.Do(func() {
		b := d.box
		if err = b.disk.Rename(b.path("tmp", d.name), b.path("new", d.name)); err != nil {
			b.release(d.size)
			b.stuck(err)
			err = fmt.Errorf("publish report: %w", err)
			return
		}
		b.add(d)
		if err = b.disk.SyncDir(filepath.Join(b.opts.Dir, "new")); err != nil {
			b.stuck(err)
			err = fmt.Errorf("publish report: %w", err)
		}
	})
	return err
}

// Discard removes the entry. It does nothing after Publish.
func (d *Draft) Discard() (err error) {
	d.once.Do(func() {
		d.box.release(d.size)
		if err = d.box.disk.Remove(d.box.path("tmp", d.name)); err != nil {
			err = fmt.Errorf("discard report: %w", err)
		}
	})
	return err
}

// newName is unique: the time, so that the oldest come first, chance, and the host, which alone sends it.
func (b *Box) newName() string {
	return fmt.Sprintf("%d.%s.%s", time.Now().UnixNano(), rand.Text()[:10], b.opts.Host)
}

func (b *Box) path(sub, name string) string { return filepath.Join(b.opts.Dir, sub, name) }
