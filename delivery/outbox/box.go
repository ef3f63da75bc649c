package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

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
	// PerSender is how many reports one sender gets an hour, and PerMinute how many there are of all senders. [20, 600]
	PerSender, PerMinute int
	// Log has what an operator must know. [discarded]
	Log *slog.Logger
	// Hooks count.
	Hooks Hooks

	system system
}

func (o *Options) setDefaults() {
	o.Entries, o.Octets = cmp.Or(o.Entries, 10000), cmp.Or(o.Octets, 128<<20)
	o.Expire, o.Withdraw = cmp.Or(o.Expire, 5*24*time.Hour), cmp.Or(o.Withdraw, 10*time.Minute)
	o.PerSender, o.PerMinute = cmp.Or(o.PerSender, 20), cmp.Or(o.PerMinute, 600)
	o.Retry, o.MaxRetry = cmp.Or(o.Retry, time.Minute), cmp.Or(o.MaxRetry, time.Hour)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.system == nil {
		o.system = linux{}
	}
}

// A Box is an outbox.
type Box struct {
	opts    Options
	disk    *disk
	breaker *breaker.Breaker
	places  *breaker.Pool
	wake    chan struct{} // there is something new

	surveyed time.Time // when Run last looked at the directory

	mu          sync.Mutex
	waiting     map[string]*attempt
	unpublished []*Draft  // which could not be, and are to be
	staged      int       // drafts
	octets      int64     // of drafts, and of what waits
	quiet       time.Time // until then nothing is sent: the server is down
	valve       valve
	first       time.Time // since when the first of those that wait does; zero: not known
	rate        rate
}

// An attempt is what is known of an entry that waits.
type attempt struct {
	size  int64
	since time.Time // when it was staged; steps of the clock do not move it
	group string    // of those that may be sent as one; "" where another process has published it
	tries int
	next  time.Time
	over  bool // it is sent, or given up, and has still to be removed
}

// Open returns an outbox that is ready.
func Open(o Options) (*Box, error) {
	b, err := New(o)
	if err != nil {
		return nil, err
	}
	return b, b.Prepare(context.Background())
}

// New returns an outbox that is not ready yet: it makes no offer before Prepare or Run, which tries again and again,
// finds that its directory can be used.
func New(o Options) (*Box, error) {
	o.setDefaults()
	if o.Host == "" || strings.ContainsAny(o.Host, "/\x00") {
		return nil, fmt.Errorf("outbox %s: %q is no name of a machine", o.Dir, o.Host)
	}
	b := &Box{opts: o, wake: make(chan struct{}, 1), waiting: map[string]*attempt{},
		rate: newRate(o.PerSender, o.PerMinute), valve: valve{broken: errNotReady}}
	b.disk = &disk{system: o.system, dir: o.Dir, host: o.Host}
	b.breaker = breaker.New(breaker.Options{Name: "outbox " + o.Dir, Probe: func(context.Context) error {
		_, err := b.disk.Lstat(o.Dir)
		return err
	}})
	b.places = b.breaker.Pool(stepsAtOnce, nil)
	return b, nil
}

var errNotReady = errors.New("it has not been opened yet")

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
		b.rate = newRate(l.PerSender, b.opts.PerMinute)
	}
	b.opts.Expire, b.opts.Withdraw, b.opts.PerSender = l.Expire, l.Withdraw, l.PerSender
}

// Close ends the watch over the file system. Nothing is staged any more, and Run has returned.
func (b *Box) Close() { b.breaker.Close() }

// stepsAtOnce bounds the threads that a file system which hangs can keep.
const stepsAtOnce = 64

// take notes an entry that waits, unless it is known. One from the future, as the clock was set back, is from now.
func (b *Box) take(name string, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting[name] != nil {
		return
	}
	stamp, _ := b.disk.ours(name)
	now := time.Now()
	b.waiting[name] = &attempt{size: size, since: now.Add(-max(now.Sub(stamp), 0))}
	b.octets += size
	b.first = time.Time{} // it may be older than the others
}

// add has a draft wait.
func (b *Box) add(d *Draft) {
	b.mu.Lock()
	if a := b.waiting[d.name]; a != nil { // Run has found it already, and may have tried it
		a.group = d.group
		b.octets -= d.size
	} else {
		b.waiting[d.name] = &attempt{size: d.size, since: d.since, group: d.group}
	}
	b.staged--
	b.mu.Unlock()
	b.wakeUp()
}

// wakeUp has Run look for what is to be done.
func (b *Box) wakeUp() {
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
