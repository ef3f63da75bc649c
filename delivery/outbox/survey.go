package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

const (
	// rescan is how often the directory is looked at.
	rescan = time.Minute
	// leftover is the age of a file in tmp/ that no process is at work on.
	leftover = time.Hour
	// patience bounds a step that Run takes.
	patience = 30 * time.Second
	// probeSize is as much as an entry may be, nearly always.
	probeSize = 40 << 10
)

// survey looks at the directory now and then, and soon after something was wrong with it.
func (b *Box) survey(ctx context.Context) {
	if !b.isBroken() && time.Since(b.surveyed) < rescan {
		return
	}
	b.surveyed = time.Now()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if b.isBroken() {
		_ = b.Prepare(ctx) // which notes what is wrong
	} else if err := b.ask(ctx, question{Do: step(b.scan)}); !errors.Is(err, context.Canceled) {
		b.found(err)
	}
}

// Prepare makes an outbox ready, if the file system answers while ctx lasts: it makes its directories, removes what a
// process of this machine had staged before it ended, and takes up what waits.
func (b *Box) Prepare(ctx context.Context) error {
	err := b.ask(ctx, question{Do: step(b.putInOrder)})
	if !errors.Is(err, context.Canceled) {
		b.found(err)
	}
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

func (b *Box) isBroken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.valve.broken != nil
}

// putInOrder makes what is missing, finishes what could not be done, and takes up what other processes have published.
// An error says why nothing can be promised.
func (b *Box) putInOrder() error {
	err := b.disk.makeDirs()
	if err == nil {
		err = errors.Join(b.disk.tryToWrite(), b.publishLate())
	}
	return errors.Join(err, b.scan())
}

// publishLate publishes what could not be.
func (b *Box) publishLate() (err error) {
	b.mu.Lock()
	drafts := b.unpublished
	b.unpublished = nil
	b.mu.Unlock()
	for _, d := range drafts {
		err = errors.Join(err, d.publish())
	}
	if len(drafts) == 0 {
		return nil
	}
	return errors.Join(err, b.disk.syncNames())
}

// scan takes up what other processes have published, forgets what they have sent, and removes what is left over.
func (b *Box) scan() error {
	if err := b.disk.sweep(); err != nil {
		return err
	}
	b.mu.Lock()
	known := slices.Collect(maps.Keys(b.waiting)) // what is published from now on may not be listed
	b.mu.Unlock()
	files, err := b.disk.list(b.disk.path("new", ""))
	if err != nil {
		return err
	}
	for name, size := range files {
		if _, ok := b.disk.ours(name); ok {
			b.take(name, size)
		}
	}
	for _, name := range known {
		if _, there := files[name]; !there {
			b.done(name)
		}
	}
	return nil
}
