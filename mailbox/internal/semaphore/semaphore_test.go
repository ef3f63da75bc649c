package semaphore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestKeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		sem := New[string](2)
		wait := func(k string) { _ = sem.Acquire(ctx, k) }
		wait("a")
		wait("a")
		wait("b") // another key is not held up

		var order []int
		for i := range 3 {
			go func() {
				wait("a")
				order = append(order, i)
			}()
			synctest.Wait()
		}
		if len(order) != 0 {
			t.Fatalf("%d acquired it beyond the bound", len(order))
		}
		for range 3 {
			sem.Release("a")
			synctest.Wait()
		}
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Errorf("acquired it as %v, want in the order of arrival", order)
		}

		// Who gives up leaves no gap in the queue.
		wait("b")
		impatient, giveUp := context.WithCancel(ctx)
		var outcome error
		go func() { outcome = sem.Acquire(impatient, "b") }()
		synctest.Wait()
		giveUp()
		synctest.Wait()
		if !errors.Is(outcome, context.Canceled) {
			t.Errorf("giving up: %v", outcome)
		}
		for range 2 {
			sem.Release("a")
			sem.Release("b")
		}
		if !sem.Idle() {
			t.Errorf("remembers %d keys that nobody holds", len(sem.state))
		}

		// The turn comes just as patience has ended: it is not lost.
		for range 100 {
			wait("c")
			wait("c")
			impatient, giveUp := context.WithCancel(ctx)
			go func() {
				if sem.Acquire(impatient, "c") == nil {
					sem.Release("c")
				}
			}()
			synctest.Wait()
			giveUp()
			sem.Release("c")
			sem.Release("c")
			synctest.Wait()
			if !sem.Idle() {
				t.Fatal("a turn was lost")
			}
		}
	})
}
