package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

var errNotThere = fs.ErrNotExist

// Options are the choices of a Box. What is in brackets stands for the zero value.
type Options struct {
	// Dir is where the entries are. It is made if it is not there.
	Dir string
	// Host is the machine in the names of files; it has no slash.
	Host string
	// Entries and Octets bound what waits. [10000, 128 MiB]
	Entries int
	Octets  int64
	// Expire is the age above which an entry is given up. [5 days]
	Expire time.Duration
	// Withdraw is how long the oldest entry may wait, while the server fails, before Offers says no. [10 minutes]
	Withdraw time.Duration
	// Retry is the pause after a failure, doubled with each one up to MaxRetry. [1 minute, 1 hour]
	Retry, MaxRetry time.Duration
	// PerSender is how many reports one sender gets an hour. [20]
	PerSender int
	// Log has what an operator must know. [discarded]
	Log *slog.Logger
	// Hooks count.
	Hooks Hooks

	disk disk
}

func (o *Options) setDefaults() {
	o.Entries, o.Octets = cmp.Or(o.Entries, 10000), cmp.Or(o.Octets, 128<<20)
	o.Expire, o.Withdraw = cmp.Or(o.Expire, 5*24*time.Hour), cmp.Or(o.Withdraw, 10*time.Minute)
	o.PerSender = cmp.Or(o.PerSender, 20)
	o.Retry, o.MaxRetry = cmp.Or(o.Retry, time.Minute), cmp.Or(o.MaxRetry, time.Hour)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.disk == nil {
		o.disk = linux{}
	}
}

// A Box is an outbox.
type Box struct {
	opts    Options
	disk    disk
	breaker *breaker.Breaker
	places  *breaker.Pool
	wake    chan struct{} // there is something new

	mu      sync.Mutex
	waiting map[string]*attempt
	staged  int       // drafts
	octets  int64     // of drafts, and of what waits
	quiet   time.Time // until then nothing is sent: the server is down
	valve   valve
	first   time.Time // since when the first of those that wait does; zero: not known
	rate    rate
}

// An attempt is what is known of an entry that waits.
type attempt struct {
	size  int64
	since time.Time // when it was staged, as its name says
	group string    // of those that may be sent as one; "" where another process has published it
	tries int
	next  time.Time
}

// Open returns an outbox that is ready.
func Open(o Options) (*Box, error) {
	b, err := New(o)
	if err != nil {
		return nil, err
	}
	err = b.prepare()
	b.stuck(err)
	return b, err
}

// New returns an outbox that is not ready yet: what it would take is not to be offered before Prepare, or Run, which
// tries again and again.
func New(o Options) (*Box, error) {
	o.setDefaults()
	if o.Host == "" || strings.ContainsAny(o.Host, "/\x00") {
		return nil, fmt.Errorf("outbox %s: %q is no name of a machine", o.Dir, o.Host)
	}
	b := &Box{opts: o, disk: o.disk, wake: make(chan struct{}, 1), waiting: map[string]*attempt{},
		rate: newRate(o.PerSender), valve: valve{broken: errNotReady}}
	b.breaker = breaker.New(breaker.Options{Name: "outbox " + o.Dir, Probe: func(context.Context) error {
		_, err := os.Lstat(o.Dir)
		return err
	}})
	b.places = b.breaker.Pool(writesAtOnce, nil)
	return b, nil
}

var errNotReady = errors.New("it has not been opened yet")

// Prepare makes an outbox ready, if the file system answers while ctx lasts: it makes its directories, removes what a
// process of this machine had staged before it ended, and takes up what waits.
func (b *Box) Prepare(ctx context.Context) error {
	err := b.ask(ctx, b.ready, nil, nil)
	if err != nil {
		b.stuck(err)
	}
	return err
}

// ready finds out whether the outbox can be used, and notes it.
func (b *Box) ready() error {
	err := b.prepare()
	if err == nil {
		probe := b.path("tmp", newName(b.opts.Host))
		err = errors.Join(b.disk.Create(probe, nil), b.disk.Remove(probe))
	}
	b.stuck(err)
	return err
}

func (b *Box) prepare() error {
	if err := makeDirs(b.opts.Dir); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if err := b.sweep(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if err := b.scan(); err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	return nil
}

// Limits are the bounds of a Box that can change while it is used. They mean what they mean in Options.
type Limits struct {
	Expire, Withdraw time.Duration
	PerSender        int
}

// Limit sets the limits from now on.
func (b *Box) Limit(l Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.PerSender != b.opts.PerSender {
		b.rate = newRate(l.PerSender)
	}
	b.opts.Expire, b.opts.Withdraw, b.opts.PerSender = l.Expire, l.Withdraw, l.PerSender
}

// Close ends the watch over the file system. Nothing is staged any more, and Run has returned.
func (b *Box) Close() { b.breaker.Close() }

// writesAtOnce bounds the threads that a file system which hangs can keep.
const writesAtOnce = 32

// leftover is the age of a file in tmp/ that no process is at work on.
const leftover = time.Hour

// sweep removes what was staged and never published.
func (b *Box) sweep() error {
	files, err := os.ReadDir(filepath.Join(b.opts.Dir, "tmp"))
	for _, f := range files {
		if since, ok := b.ours(f.Name()); ok && time.Since(since) > leftover {
			if wrong := b.disk.Remove(b.path("tmp", f.Name())); !errors.Is(wrong, errNotThere) {
				err = errors.Join(err, wrong)
			}
		}
	}
	return err
}

// scan takes up what other processes have published, and forgets what they have sent.
func (b *Box) scan() error {
	files, err := os.ReadDir(filepath.Join(b.opts.Dir, "new"))
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, f := range files {
		info, err := f.Info()
		if _, ok := b.ours(f.Name()); !ok || err != nil || !info.Mode().IsRegular() {
			continue
		}
		there[f.Name()] = true
		b.take(f.Name(), info.Size())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.waiting {
		if !there[name] {
			b.forget(name)
		}
	}
	return nil
}

// ours reports whether this machine sends a file, and when it was staged.
func (b *Box) ours(name string) (since time.Time, ok bool) {
	since, host := parseName(name)
	return since, host == b.opts.Host
}

// take notes an entry that waits, unless it is known.
func (b *Box) take(name string, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[name] != nil {
		return
	}
	since, _ := b.ours(name)
	b.waiting[name] = &attempt{size: size, since: since}
	b.octets += size
	b.first = time.Time{} // it may be older than the others
}

// add has a draft wait.
func (b *Box) add(d *Draft) {
	b.mu.Lock()
	since, _ := b.ours(d.name)
	b.forget(d.name) // Run may have found it already
	b.waiting[d.name] = &attempt{size: d.size, since: since, group: d.group}
	b.staged--
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// forget is the end of an entry; b.mu is held.
func (b *Box) forget(name string) {
	if a := b.waiting[name]; a != nil {
		b.octets -= a.size
		delete(b.waiting, name)
		if a.since.Equal(b.first) {
			b.first = time.Time{}
		}
	}
}

// reserve takes room for a draft.
func (b *Box) reserve(size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.staged+len(b.waiting) >= b.opts.Entries || b.octets+size > b.opts.Octets {
		return ErrFull
	}
	b.staged++
	b.octets += size
	return nil
}

func (b *Box) release(size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.staged--
	b.octets -= size
}
