package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

// questionsAtOnce bounds the questions to one backend that are under way. One that reads a file may keep a thread of
// the operating system.
const questionsAtOnce = 64

// Bounded returns d protected by a breaker: a question has an answer, or an error that is breaker.ErrHangs, when
// timeout is over, whether d goes by its context or not; no more than 64 are under way; and when d does not answer a
// probe either there is that error at once, until it does. The probe is the last question again. changed, which may be
// nil, is called at first, when d hangs, and when it answers again. The second value is for the end, and for those who
// look.
func Bounded(
	name string, d Directory, timeout time.Duration, changed func(breaker.State),
) (Directory, *breaker.Breaker) {
	b := bounded{to: d, timeout: cmp.Or(timeout, memoTimeout), last: new(atomic.Pointer[Key])}
	b.Breaker = breaker.New(breaker.Options{
		Name: "directory " + name, Patience: b.timeout, Probe: b.probe, Changed: changed,
	})
	b.questions = b.Pool(questionsAtOnce, nil)
	if knower, ok := d.(DomainDirectory); ok {
		return boundedDomains{b, knower}, b.Breaker
	}
	return b, b.Breaker
}

// bounded is a directory protected by a breaker.
type bounded struct {
	*breaker.Breaker
	to        Directory
	timeout   time.Duration
	questions *breaker.Pool
	last      *atomic.Pointer[Key]
}

// Lookup asks for an address.
func (b bounded) Lookup(ctx context.Context, key Key) (Entry, error) {
	b.last.Store(&key)
	return askBounded(ctx, b, func(ctx context.Context) (Entry, error) { return b.to.Lookup(ctx, key) })
}

// probe asks for the address that was asked for last.
func (b bounded) probe(ctx context.Context) error {
	key := b.last.Load()
	if key == nil {
		key = &Key{Local: "postmaster", Domain: "localhost"}
	}
	_, err := b.to.Lookup(ctx, *key)
	return unanswered(ctx, err)
}

// unanswered is breaker.Unanswered for an error that may be an answer.
func unanswered(ctx context.Context, err error) error {
	if errors.Is(err, ErrNotFound) {
		return err
	}
	return breaker.Unanswered(ctx, err)
}

// boundedDomains is bounded for a DomainDirectory.
type boundedDomains struct {
	bounded
	knower DomainDirectory
}

// Domain asks for a domain.
func (b boundedDomains) Domain(ctx context.Context, key string) (Domain, error) {
	return askBounded(ctx, b.bounded, func(ctx context.Context) (Domain, error) { return b.knower.Domain(ctx, key) })
}

func askBounded[V any](ctx context.Context, b bounded, ask func(context.Context) (V, error)) (V, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	value, err := breaker.Ask(ctx, b.questions, breaker.Question[V]{Do: func() (V, error) {
		value, err := ask(ctx)
		return value, unanswered(ctx, err)
	}})
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, breaker.ErrHangs) {
		err = fmt.Errorf("%w: %w", breaker.ErrHangs, err)
	}
	return value, err
}
