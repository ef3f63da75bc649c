package mailbox

import (
	"context"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

const (
	// sweepEvery is how often a Maildir that gets mail is swept.
	sweepEvery = 24 * time.Hour
	// sweepPause is the rest between two Maildirs, so that sweeping is nothing beside delivering.
	sweepPause = 100 * time.Millisecond
	// sweptMaildirs bounds what a sweeper keeps in mind. Of more, some are swept later.
	sweptMaildirs = 1 << 16
)

// A sweeper knows the Maildirs that got mail since the start.
type sweeper struct {
	mu    sync.Mutex
	due   map[Dest]struct{} // to be swept
	later map[Dest]struct{} // swept, and due again when a day is over
	woken chan struct{}     // has room for one
}

// note is called with a Maildir at its first delivery since the start.
func (w *sweeper) note(to Dest) {
	to = Dest{Root: to.Root, Path: to.Path, Folder: to.Folder, Owner: to.Owner} // whatever else may change
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.later[to]; known || len(w.due)+len(w.later) >= sweptMaildirs {
		return
	}
	w.due[to] = struct{}{}
	select {
	case w.woken <- struct{}{}:
	default: // it is awake, or will be
	}
}

// take returns a Maildir to sweep, if there is one.
func (w *sweeper) take() (to Dest, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for to := range w.due {
		delete(w.due, to)
		w.later[to] = struct{}{}
		return to, true
	}
	return Dest{}, false
}

// again makes all that were swept due.
func (w *sweeper) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for to := range w.later {
		w.due[to] = struct{}{}
	}
	clear(w.later)
}

// RunSweeper sweeps the Maildirs and folders that mail is delivered to, until ctx ends or s is closed: each after
// its first delivery since the start, and once a day. It goes from one to the next with a pause
// between them, and holds no delivery up. swept, if not nil, is called for each. What gets no mail is
// not swept: Sweep does that.
//
// A file system that hangs is left for the next day.
func (s *Store) RunSweeper(ctx context.Context, swept func(to Dest, removed int, err error)) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.life, stop)()
	day := time.NewTicker(sweepEvery)
	defer day.Stop()
	for {
		to, ok := s.sweeper.take()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-s.sweeper.woken:
			case <-day.C:
				s.sweeper.again()
			}
			continue
		}
		removed, err := s.sweepApart(ctx, to)
		if ctx.Err() != nil {
			return
		}
		if swept != nil {
			swept(to, removed, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepPause):
		}
	}
}

// sweepApart sweeps in a goroutine of its own, which is left alone when the file system hangs.
func (s *Store) sweepApart(ctx context.Context, to Dest) (removed int, err error) {
	defer guard.Recover(&err)
	return breaker.Ask(ctx, s.fileSystems.Of(to.Root, to.Path).Questions, breaker.Question[int]{
		Do: func() (int, error) { return s.Sweep(ctx, to, SweepAge) },
	})
}

func newSweeper() *sweeper {
	return &sweeper{due: map[Dest]struct{}{}, later: map[Dest]struct{}{}, woken: make(chan struct{}, 1)}
}
