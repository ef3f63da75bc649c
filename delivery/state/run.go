package state

import (
	"context"
	"database/sql"
	"time"
)

const (
	// retryEvery is the pause before a store that does not work is tried again.
	retryEvery = 10 * time.Second
	// sweepEvery is how often marks are removed that are remembered no longer.
	sweepEvery = 10 * time.Minute
	// sweepBatch is how many of them are removed in one transaction: others wait for it.
	sweepBatch = 1000
)

// Run opens the store, removes what is not remembered any more, and tries a store that does not work again, until ctx
// ends. The log has at the start whether it works. Of several nodes with one database one sweeps at a time.
func (s *DB) Run(ctx context.Context) {
	s.try(ctx)
	var swept time.Time
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		if s.trouble.Load() == nil && time.Since(swept) >= sweepEvery {
			swept = time.Now()
			s.sweep(ctx)
			s.recount(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.trouble.Load() != nil {
			s.try(ctx)
		}
	}
}

// try writes nothing, durably. commit notes what comes of it.
func (s *DB) try(ctx context.Context) { _ = s.submit(ctx, &request{}) }

// sweep removes the marks whose time is over, if it is this node's turn.
func (s *DB) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sweepEvery/2) // before another's turn
	defer cancel()
	mine, err := s.takeTurn(ctx)
	for n := int64(sweepBatch); err == nil && mine && n == sweepBatch; {
		n, err = s.changed(ctx, s.words.sweep, s.opts.Now().Unix(), sweepBatch)
	}
	if err != nil && ctx.Err() == nil {
		s.note(err)
	}
}

// takeTurn reports whether it is this node's turn to sweep: then it is no other's for some time. A node that is gone
// misses its next one.
func (s *DB) takeTurn(ctx context.Context) (bool, error) {
	if s.words.turn == "" {
		return true, nil
	}
	now, every := s.opts.Now().Unix(), int64(sweepEvery/time.Second)
	n, err := s.changed(ctx, s.words.turn, now, now-every, now+every)
	return n > 0, err
}

// changed executes a statement, and returns how many rows it has changed.
func (s *DB) changed(ctx context.Context, statement string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	return ask(ctx, s, func(ctx context.Context, db *sql.DB) (int64, error) {
		return change(ctx, db, func(tx *sql.Tx) (int64, error) {
			return affected(tx.ExecContext(ctx, s.words.text(statement), args...))
		})
	})
}

// recount counts the marks, as other processes write to the database too: deliver, a server that has taken over, other
// nodes. Where that fails the count is as it was.
func (s *DB) recount(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute) // there may be many
	defer cancel()
	n, err := ask(ctx, s, func(ctx context.Context, db *sql.DB) (int64, error) { return s.words.count(ctx, db) })
	if err == nil {
		s.entries.Store(n)
	}
}
