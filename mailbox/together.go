package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// ErrTooManyTogether says that more copies go together than this process has descriptors for: Options.Together.
var ErrTooManyTogether = errors.New("more mailboxes stand for one recipient than this process may have open")

// fewTogether is how many copies may go together without a turn. How many messages are on their way is bounded by the
// places of their file systems.
const fewTogether = 32

// turns bound the copies that stand or fall together, of all messages: each keeps its Maildir open from when it is
// written until all are published.
type turns struct {
	size  int64 // 0: any number
	taken *semaphore.Weighted
}

func newTurns(n int) turns { return turns{int64(n), semaphore.NewWeighted(int64(n))} }

// fit returns an ErrTooManyTogether where there is never room for n copies.
func (t turns) fit(n int64) error {
	if t.size > 0 && n > t.size {
		return fmt.Errorf("%w: %d, and it may have %d", ErrTooManyTogether, n, t.size)
	}
	return nil
}

// take waits until there is room for n copies, which fit, as long as ctx lasts. After nil the caller owes a give.
func (t turns) take(ctx context.Context, n int64) error {
	if t.size == 0 || n == 0 { // even for none it would wait after others
		return nil
	}
	if t.taken.Acquire(ctx, n) != nil {
		return fmt.Errorf("wait for other messages of many copies: %w", context.Cause(ctx))
	}
	return nil
}

func (t turns) give(n int64) {
	if t.size > 0 {
		t.taken.Release(n)
	}
}
