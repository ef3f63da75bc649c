package mailbox

import (
	"context"
	"fmt"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

const (
	// askTimeout is how long a question before the content of a message may take. An MTA waits five minutes for its reply
	// (RFC 5321 §4.5.3.2), and keeps a session of ours busy meanwhile.
	askTimeout = 5 * time.Second
	// askAtOnce bounds the questions about one mailbox that are under way at the same time, so that one that hangs takes
	// no more places of its file system.
	askAtOnce = 4
	// pieceTimeout is how long content may take that is written while it comes, piece by piece. An MTA waits three
	// minutes for each.
	pieceTimeout = 30 * time.Second
)

// ErrHangs says that a file system does not answer, or did not in time. What was asked of it goes on, and may be done
// later.
var ErrHangs = breaker.ErrHangs

// A FileSystemState says whether a file system answers.
type FileSystemState = breaker.State

// FileSystems returns the state of each file system that the store has had to do with.
func (s *Store) FileSystems() []FileSystemState { return s.fileSystems.States() }

// Answers returns an ErrHangs while it is known that the file system of a mailbox does not answer. It asks nothing, and
// costs nothing.
func (s *Store) Answers(to Dest) error {
	if err := s.fileSystems.Of(to.Root, to.Path).Err(); err != nil {
		return fmt.Errorf("deliver to %s: %w", to, err)
	}
	return nil
}

// ask asks a question about a mailbox, which do answers in a goroutine of its own. A file system that hangs keeps that,
// and the caller gets an ErrHangs. do goes on when its caller waits no longer, until the store is closed: a mailbox
// that takes long to count is counted for the next who ask.
func ask[V any](ctx context.Context, s *Store, about Dest, do func(context.Context) (V, error)) (V, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	at := s.fileSystems.Of(about.Root, about.Path)
	box := about.inbox()
	waiting, stop := at.While(ctx)
	defer stop()
	if err := s.asking.Acquire(waiting, box); err != nil {
		var none V
		return none, fmt.Errorf("%s %w: %w", about.Inbox(), ErrHangs, err)
	}
	return breaker.Ask(ctx, at.Questions, breaker.Question[V]{
		Do:   func() (V, error) { return do(s.life) },
		Over: func() { s.asking.Release(box) },
	})
}
