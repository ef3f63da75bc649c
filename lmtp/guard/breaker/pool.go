package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A Pool is the operations of one kind before a Breaker, of which a bounded number are under way at once. One that
// hangs keeps its place until the kernel returns, so that the threads which hang are bounded.
type Pool struct {
	breaker *Breaker
	places  chan struct{}
	shared  chan struct{} // places of all pools together; nil: any number
}

// Pool returns one of that size. shared, if not nil, bounds the operations of all pools that have it.
func (b *Breaker) Pool(size int, shared chan struct{}) *Pool {
	return &Pool{breaker: b, places: make(chan struct{}, size), shared: shared}
}

// A Waiter waits for the end of an operation.
type Waiter interface {
	// Abandon is called with an ErrHangs, at most once, when there is no use in waiting any longer: the operation may
	// never return. It is not called after End. It must return at once.
	Abandon(err error)
}

// An Operation is one that is under way. Its zero value is ready for Begin.
type Operation struct {
	pool      *Pool
	waiter    Waiter
	begun     time.Time
	abandoned bool // guarded by Breaker.mu
}

// Begin waits for a place, as long as ctx lasts and the breaker is closed. After nil the caller owes an End.
func (p *Pool) Begin(ctx context.Context, o *Operation, w Waiter) error {
	closed := p.breaker.closed()
	if closed.Err() != nil {
		return context.Cause(closed)
	}
	if err := p.enter(ctx, closed); err != nil {
		return err
	}
	p.start(o, w)
	return nil
}

// BeginAnyway is Begin for what must be done in the end: it waits for a place however long that takes, whatever the
// breaker says.
func (p *Pool) BeginAnyway(o *Operation, w Waiter) {
	if p.enter(context.Background(), context.Background()) == nil {
		p.start(o, w)
	}
}

// start counts an operation in.
func (p *Pool) start(o *Operation, w Waiter) {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	*o = Operation{pool: p, waiter: w, begun: time.Now()}
	b.running[o] = struct{}{}
	b.watch(b.opts.Patience)
}

// enter takes a place.
func (p *Pool) enter(ctx, closed context.Context) error {
	if err := take(ctx, closed, p.places); err != nil {
		return p.late(err)
	}
	if p.shared == nil {
		return nil
	}
	if err := take(ctx, closed, p.shared); err != nil {
		<-p.places
		return p.late(err)
	}
	return nil
}

func take(ctx, closed context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	default:
	}
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-closed.Done():
		return context.Cause(closed)
	}
}

// late makes the end of a deadline an ErrHangs, and has it looked into.
func (p *Pool) late(err error) error {
	if errors.Is(err, ErrHangs) || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	p.breaker.Suspect()
	return fmt.Errorf("%w: %w", p.breaker.hangs, err)
}

// End ends an operation. It reports whether its Waiter still waits: else it was answered, or is being answered.
func (o *Operation) End() (awaited bool) {
	b := o.pool.breaker
	b.mu.Lock()
	delete(b.running, o)
	awaited = !o.abandoned
	b.mu.Unlock()
	if o.pool.shared != nil {
		<-o.pool.shared
	}
	<-o.pool.places
	return awaited
}

// Abandoned reports whether an operation is no longer waited for.
func (o *Operation) Abandoned() bool {
	b := o.pool.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	return o.abandoned
}

// A Question is an operation whose answer is waited for.
type Question[V any] struct {
	// Do answers, in a goroutine of its own. It goes on when its caller waits no longer, and must touch nothing then
	// that belongs to who has asked.
	Do func() (V, error)
	// Late is called after Do, in its place, where the caller no longer waits for the answer. [nothing]
	Late func()
	// Always has Do called in any case, when there is a place: with the breaker open, and when the caller waits no longer.
	Always bool
	// Over is called when Do and Late have returned, or Do is not called at all. [nothing]
	Over func()
}

// Ask asks, and returns the answer, or an ErrHangs when ctx ends or the breaker opens before there is one. A panic of
// Do is raised again.
func Ask[V any](ctx context.Context, p *Pool, q Question[V]) (V, error) {
	a := &asked[V]{answer: make(chan struct{})}
	closed := context.Background() // Abandon says that the breaker opens
	if q.Always {
		closed = p.breaker.closed() // which may be so before there is a place
		go a.begin(p, q)
	} else {
		if err := p.Begin(ctx, &a.Operation, a); err != nil {
			if q.Over != nil {
				q.Over()
			}
			return a.value, err
		}
		go a.run(q)
	}
	select {
	case <-a.answer:
	case <-ctx.Done():
		a.giveUp(p.late(context.Cause(ctx)))
	case <-closed.Done():
		a.giveUp(context.Cause(closed))
	}
	if panicked, ok := a.err.(*guard.Panic); ok { //nolint:errorlint // its own, and not one that an error wraps
		panic(panicked)
	}
	if errors.Is(a.err, context.DeadlineExceeded) {
		p.breaker.Suspect()
	}
	return a.value, a.err
}

// Unanswered makes an error that comes when the time of ctx is over one of that: of a connection that they closed then,
// drivers of databases say "invalid connection", "i/o timeout" and the like, as of a server that refuses them.
func Unanswered(ctx context.Context, err error) error {
	end, ok := ctx.Deadline()
	if err == nil || !ok || time.Now().Before(end) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
}

// An asked is a question on its way.
type asked[V any] struct {
	Operation
	settled atomic.Bool   // by the answer, or because the caller waits no longer
	answer  chan struct{} // closed when value and err are the answer
	value   V
	err     error
}

// begin answers when there is a place.
func (a *asked[V]) begin(p *Pool, q Question[V]) {
	p.BeginAnyway(&a.Operation, a)
	a.run(q)
}

// run answers.
func (a *asked[V]) run(q Question[V]) {
	value, err := a.call(q.Do)
	awaited := a.settled.CompareAndSwap(false, true)
	if !awaited && q.Late != nil {
		q.Late()
	}
	a.End()
	if q.Over != nil {
		q.Over()
	}
	if awaited {
		a.value, a.err = value, err
		close(a.answer)
	}
}

func (a *asked[V]) call(do func() (V, error)) (value V, err error) {
	defer guard.Recover(&err)
	return do()
}

// Abandon answers in the place of Do.
func (a *asked[V]) Abandon(err error) {
	if a.settled.CompareAndSwap(false, true) {
		a.err = err
		close(a.answer)
	}
}

// giveUp waits no longer: the answer is err, unless there is one already.
func (a *asked[V]) giveUp(err error) {
	a.Abandon(err)
	<-a.answer
}
