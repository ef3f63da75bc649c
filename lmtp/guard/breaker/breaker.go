// Package breaker keeps what does not answer, such as a file system whose server is gone or a database that drops
// packets, from taking the whole program with it. A system call that hangs cannot be cut short: its goroutine and its
// thread stay until the kernel returns. So there is a bound to how many may be under way, those who wait get an answer
// in time, and when a mere probe hangs too all others are answered at once.
package breaker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// ErrHangs is every error of a Breaker: what was asked does not answer. It says nothing for good.
var ErrHangs = errors.New("does not answer")

const (
	// defaultPatience is longer than any answer of something that is well takes, and short beside the minutes that an
	// MTA waits for a reply (RFC 5321 §4.5.3.2).
	defaultPatience = 5 * time.Second
	// defaultRetry is the pause between two probes.
	defaultRetry = 10 * time.Second
)

// Options are the choices of a Breaker.
type Options struct {
	// Name is what it stands before, for errors and logs: "file system /srv/mail".
	Name string
	// Probe asks for as little as shows that it answers: any error but that of a deadline does. A probe that hangs is the
	// only one until it returns.
	Probe func(context.Context) error
	// Patience is how long an operation may take before a probe is sent, and how long that may take. [5s]
	Patience time.Duration
	// Retry is the pause before a probe is sent again that ended with its deadline. [10s]
	Retry time.Duration
	// Changed is called at first, when it opens, and when it closes. [nothing]
	Changed func(State)
}

// A Breaker stands before one thing that may hang. Closed, as it is at first, it lets operations through. Where one
// takes longer than Patience a probe is sent, and where that hangs too the breaker opens: operations that are late are
// abandoned, and no others begin. The first probe that is answered closes it again.
//
// So something that is slow under load, but answers, never opens it.
type Breaker struct {
	opts  Options
	hangs error           // ErrHangs with its name
	life  context.Context // ends with Close
	end   context.CancelFunc

	mu       sync.Mutex
	whole    context.Context // while it is closed; its cause is hangs
	trip     context.CancelCauseFunc
	running  map[*Operation]struct{}
	watching bool // a timer will look at what is running
	probing  bool
	opened   time.Time // when it opened; zero: closed
	answered time.Time // the last probe
}

// A State is that of a Breaker.
type State struct {
	Name    string
	Open    bool
	Since   time.Time     // when it opened; for Changed also when it closes
	Running int           // operations under way, those included that were abandoned and have not returned
	Oldest  time.Duration // how long the longest of them has been under way
}

// String says what it stands before, and whether that answers.
func (s State) String() string {
	if !s.Open {
		return s.Name + " answers"
	}
	return fmt.Sprintf("%s %v since %s", s.Name, ErrHangs, s.Since.UTC().Format(time.RFC3339))
}

// New returns a closed Breaker.
func New(o Options) *Breaker {
	o.Patience, o.Retry = cmp.Or(o.Patience, defaultPatience), cmp.Or(o.Retry, defaultRetry)
	b := &Breaker{opts: o, hangs: fmt.Errorf("%s %w", o.Name, ErrHangs), running: make(map[*Operation]struct{})}
	b.whole, b.trip = context.WithCancelCause(context.Background())
	b.life, b.end = context.WithCancel(context.Background())
	b.changed(b.state())
	return b
}

// Close ends probing, but for a probe that hangs.
func (b *Breaker) Close() { b.end() }

// Err is an ErrHangs while the breaker is open, and else nil.
func (b *Breaker) Err() error { return context.Cause(b.closed()) }

// closed is a context that ends when the breaker opens.
func (b *Breaker) closed() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole
}

// While returns a context for waiting: it ends with ctx, and as an ErrHangs (context.Cause) when the breaker opens.
func (b *Breaker) While(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(b.closed(), func() { cancel(b.hangs) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// State returns how things are.
func (b *Breaker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state()
}

// state is State; b.mu is held.
func (b *Breaker) state() State {
	s := State{Name: b.opts.Name, Open: !b.opened.IsZero(), Since: b.opened, Running: len(b.running)}
	if s.Running > 0 {
		s.Oldest = time.Since(b.oldest())
	}
	return s
}

// oldest is when the operation began that has been under way longest; b.mu is held.
func (b *Breaker) oldest() time.Time {
	var first time.Time
	for o := range b.running {
		if first.IsZero() || o.begun.Before(first) {
			first = o.begun
		}
	}
	return first
}

// watch has a timer look at what is running, when the oldest could be late; b.mu is held.
func (b *Breaker) watch(in time.Duration) {
	if !b.watching {
		b.watching = true
		time.AfterFunc(in, b.look)
	}
}

// look sends a probe where an operation is late and, where the breaker is open already, abandons it.
func (b *Breaker) look() {
	b.mu.Lock()
	b.watching = false
	if len(b.running) == 0 {
		b.mu.Unlock()
		return
	}
	wait := b.opts.Patience - time.Since(b.oldest())
	late := wait <= 0
	if late {
		wait = b.opts.Patience
	}
	b.watch(wait)
	var hang []Waiter
	if !b.opened.IsZero() {
		hang = b.late()
	}
	b.mu.Unlock()
	b.abandon(hang)
	if late {
		b.Suspect()
	}
}

// late are those who still wait for operations that have been under way for too long; b.mu is held. An operation may
// have ended, and begun again as another, when they are called.
func (b *Breaker) late() (all []Waiter) {
	for o := range b.running {
		if !o.abandoned && time.Since(o.begun) >= b.opts.Patience {
			o.abandoned = true
			all = append(all, o.waiter)
		}
	}
	return all
}

func (b *Breaker) abandon(all []Waiter) {
	for _, w := range all {
		w.Abandon(b.hangs)
	}
}

// Suspect sends a probe, unless one is under way or was just answered. It is for those who have seen a deadline pass.
func (b *Breaker) Suspect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probing || b.life.Err() != nil || !b.answered.IsZero() && time.Since(b.answered) < b.opts.Patience {
		return
	}
	b.probing = true
	go b.probe()
}

// probe sends probes, one after the other, until one is answered. It is the only one that opens and closes b.
func (b *Breaker) probe() {
	for {
		hangs := make(chan struct{})
		late := time.AfterFunc(b.opts.Patience, func() {
			defer close(hangs)
			b.open()
		})
		ctx, cancel := context.WithTimeout(b.life, b.opts.Patience)
		err := guard.Call(func() error { return b.opts.Probe(ctx) })
		cancel()
		if !late.Stop() {
			<-hangs
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			b.close()
			return
		}
		b.open()
		select {
		case <-time.After(b.opts.Retry):
		case <-b.life.Done():
			return
		}
	}
}

// open opens b, unless it is open.
func (b *Breaker) open() {
	b.mu.Lock()
	if !b.opened.IsZero() || b.life.Err() != nil {
		b.mu.Unlock()
		return
	}
	b.opened = time.Now()
	b.trip(b.hangs)
	hang, state := b.late(), b.state()
	b.mu.Unlock()
	b.abandon(hang)
	b.changed(state)
}

// close closes b, unless it is closed.
func (b *Breaker) close() {
	b.mu.Lock()
	b.probing, b.answered = false, time.Now()
	since := b.opened
	open := !since.IsZero()
	if open {
		b.opened = time.Time{}
		b.whole, b.trip = context.WithCancelCause(context.Background())
	}
	state := b.state()
	state.Since = since
	b.mu.Unlock()
	if open {
		b.changed(state)
	}
}

func (b *Breaker) changed(s State) {
	if b.opts.Changed != nil {
		b.opts.Changed(s)
	}
}
