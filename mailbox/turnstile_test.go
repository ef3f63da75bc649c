package mailbox

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestTurnstile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		gate := newTurnstile[string](2)
		gate.wait("a")
		gate.wait("a")
		gate.wait("b") // another place is not held up

		var order []int
		for i := range 3 {
			go func() {
				gate.wait("a")
				order = append(order, i)
			}()
			synctest.Wait()
		}
		if len(order) != 0 {
			t.Fatalf("%d came in beyond the bound", len(order))
		}
		for range 3 {
			gate.leave("a")
			synctest.Wait()
		}
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Errorf("came in as %v, want in the order of arrival", order)
		}

		// Who gives up leaves no gap and no claim.
		gate.wait("b")
		impatient, giveUp := context.WithCancel(ctx)
		var outcome error
		go func() { outcome = gate.enter(impatient, "b") }()
		synctest.Wait()
		giveUp()
		synctest.Wait()
		if !errors.Is(outcome, context.Canceled) {
			t.Errorf("giving up: %v", outcome)
		}
		for range 2 {
			gate.leave("a")
			gate.leave("b")
		}
		if len(gate.at) != 0 {
			t.Errorf("remembers %d places with nobody inside", len(gate.at))
		}

		// The turn comes just as patience has ended: the place is not lost.
		for range 100 {
			gate.wait("c")
			gate.wait("c")
			impatient, giveUp := context.WithCancel(ctx)
			go func() {
				if gate.enter(impatient, "c") == nil {
					gate.leave("c")
				}
			}()
			synctest.Wait()
			giveUp()
			gate.leave("c")
			gate.leave("c")
			synctest.Wait()
			if len(gate.at) != 0 {
				t.Fatal("a place was lost")
			}
		}
	})
}
