package breaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A thing is what a breaker stands before: it answers, or hangs until it is well again.
type thing struct {
	*Breaker
	pool    *Pool
	ill     chan struct{} // nil: it is well
	probes  atomic.Int32
	changes []string
}

func newThing(t *testing.T, size int, shared chan struct{}) *thing {
	x := &thing{}
	x.Breaker = New(Options{
		Name: "store", Probe: func(context.Context) error { x.probes.Add(1); return x.touch() },
		Changed: func(s State) { x.changes = append(x.changes, fmt.Sprint(s.Open)) },
	})
	x.pool = x.Pool(size, shared)
	t.Cleanup(x.Close)
	return x
}

func (x *thing) touch() error {
	if x.ill != nil {
		<-x.ill
	}
	return nil
}

func (x *thing) ask(ctx context.Context) error {
	_, err := Ask(ctx, x.pool, Question[int]{Do: func() (int, error) { return 1, x.touch() }})
	return err
}

// What hangs keeps a bounded number of goroutines; those who wait are answered, at once when it is known, and by the
// first probe that is answered all is well again.
func TestOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newThing(t, 4, nil)
		if err := x.ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		x.ill = make(chan struct{})
		began, answers := time.Now(), make(chan error, 100)
		for range cap(answers) {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				answers <- x.ask(ctx)
			}()
		}
		for range cap(answers) {
			if err := <-answers; !errors.Is(err, ErrHangs) || !strings.HasPrefix(err.Error(), "store does not answer") {
				t.Errorf("answer %v", err)
			}
		}
		if took := time.Since(began); took != 2*defaultPatience {
			t.Errorf("answered after %v, want %v", took, 2*defaultPatience)
		}
		began = time.Now()
		for range 100 {
			if err := x.ask(t.Context()); !errors.Is(err, ErrHangs) {
				t.Errorf("answer %v", err)
			}
		}
		time.Sleep(time.Hour)
		if s := x.State(); time.Since(began) != time.Hour || !s.Open || s.Running != 4 || s.Oldest < time.Hour {
			t.Errorf("after %v: %+v", time.Since(began), s)
		}
		if n := x.probes.Load(); n != 1 {
			t.Errorf("%d probes, want the one that hangs", n)
		}
		close(x.ill)
		synctest.Wait()
		if s := x.State(); s.Open || s.Running != 0 || x.ask(t.Context()) != nil {
			t.Errorf("when it answers again: %+v", s)
		}
		if !slices.Equal(x.changes, []string{"false", "true", "false"}) {
			t.Errorf("changes %q", x.changes)
		}
	})
}

// An operation that is slow, before something that answers its probes, is waited for, and opens nothing.
func TestSlowIsNotHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newThing(t, 4, nil)
		_, err := Ask(t.Context(), x.pool, Question[int]{Do: func() (int, error) { time.Sleep(time.Hour); return 1, nil }})
		if err != nil || len(x.changes) > 1 || x.probes.Load() < 100 {
			t.Errorf("answer %v, changes %q, %d probes", err, x.changes, x.probes.Load())
		}
	})
}

// A deadline that passes answers, and what comes of the operation later is known to it alone.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newThing(t, 1, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		over, late := make(chan struct{}), make(chan struct{})
		_, err := Ask(ctx, x.pool, Question[int]{
			Do: func() (int, error) { <-over; return 1, nil },
			Late: func() {
				if x.State().Running != 1 {
					t.Error("its place was given away")
				}
			},
			Over: func() { close(late) },
		})
		if !errors.Is(err, ErrHangs) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("answer %v", err)
		}
		refused := false
		_, err = Ask(ctx, x.pool, Question[int]{Over: func() { refused = true }})
		if !errors.Is(err, ErrHangs) || !refused {
			t.Errorf("without a place: %v", err)
		}
		close(over)
		<-late
		synctest.Wait()
		if err := x.ask(t.Context()); err != nil || x.State().Running != 0 {
			t.Errorf("with its place free: %v", err)
		}
	})
}

// A probe that ends with its deadline, as one of a database does, is sent again until it is answered, whatever the
// answer is.
func TestProbesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes := 0
		b := New(Options{Name: "database", Probe: func(ctx context.Context) error {
			if probes++; probes < 4 {
				<-ctx.Done()
				return ctx.Err()
			}
			return errors.New("connection refused")
		}})
		defer b.Close()
		b.Suspect()
		b.Suspect()
		time.Sleep(defaultPatience + time.Second)
		if err := b.Err(); !errors.Is(err, ErrHangs) {
			t.Errorf("open: %v", err)
		}
		time.Sleep(time.Minute)
		if err := b.Err(); err != nil || probes != 4 {
			t.Errorf("after %d probes: %v", probes, err)
		}
		b.Suspect()
		synctest.Wait()
		if probes != 5 {
			t.Errorf("%d probes, want another", probes)
		}
		b.Suspect() // it has just answered
		synctest.Wait()
		if probes != 5 {
			t.Errorf("%d probes, want no other", probes)
		}
	})
}

// Pools of several breakers share a bound; who waits for a place is answered when the breaker opens.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := make(chan struct{}, 3)
		hung, well := newThing(t, 2, shared), newThing(t, 2, shared)
		hung.ill = make(chan struct{})
		for range 3 {
			go func() { _ = hung.ask(t.Context()) }()
		}
		synctest.Wait()
		if err := well.ask(t.Context()); err != nil || len(shared) != 2 {
			t.Errorf("beside it: %v, %d places taken", err, len(shared))
		}
		done := 0
		_, err := Ask(t.Context(), hung.pool, Question[int]{Do: func() (int, error) { done++; return 1, nil }, Always: true})
		if !errors.Is(err, ErrHangs) {
			t.Errorf("what is done in any case: %v", err)
		}
		ctx, cancel := hung.While(t.Context())
		defer cancel()
		<-ctx.Done()
		if err := context.Cause(ctx); !errors.Is(err, ErrHangs) {
			t.Errorf("waiting ends with %v", err)
		}
		synctest.Wait()
		if done != 0 {
			t.Error("done without a place")
		}
		close(hung.ill)
		synctest.Wait()
		if done != 1 || len(shared) != 0 {
			t.Errorf("done %d times, %d places taken", done, len(shared))
		}
	})
}

// A panic belongs to who asks, and costs no place; one of a probe is an answer.
func TestPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Name: "store", Probe: func(context.Context) error { panic("probe") }})
		defer b.Close()
		pool := b.Pool(1, nil)
		for range 2 {
			err := guard.Call(func() error {
				_, err := Ask(t.Context(), pool, Question[int]{Do: func() (int, error) { panic("boom") }})
				return err
			})
			if p := (*guard.Panic)(nil); !errors.As(err, &p) || p.Value != "boom" {
				t.Errorf("answer %v", err)
			}
		}
		b.Suspect()
		synctest.Wait()
		if b.Err() != nil || b.State().Open {
			t.Errorf("%+v", b.State())
		}
	})
}

func TestState(t *testing.T) {
	s := State{Name: "file system /srv/mail"}
	if s.String() != "file system /srv/mail answers" {
		t.Error(s)
	}
	s.Open, s.Since = true, time.Unix(0, 0)
	if s.String() != "file system /srv/mail does not answer since 1970-01-01T00:00:00Z" {
		t.Error(s)
	}
}
