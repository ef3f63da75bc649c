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
// ends. The log has at the start whether it works.
func (s *SQLite) Run(ctx context.Context) {
	s.try(ctx)
	var swept time.Time
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		if s.trouble.Load() == nil && time.Since(swept) >= sweepEvery {
			swept = time.Now()
			s.sweep(ctx)
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
func (s *SQLite) try(ctx context.Context) { _ = s.submit(ctx, &request{}) }

// sweep removes the marks whose time is over. commit and ask say what goes wrong.
func (s *SQLite) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := ask(ctx, s, func(ctx context.Context, db *sql.DB) (int64, error) {
			return change(ctx, db, func(tx *sql.Tx) (int64, error) {
				return affected(tx.ExecContext(ctx, `DELETE FROM mark WHERE (subject, item) IN
					(SELECT subject, item FROM mark WHERE until <= ? ORDER BY until LIMIT ?)`, s.opts.Now().Unix(), sweepBatch))
			})
		})
		if err != nil {
			if ctx.Err() == nil {
				s.note(err)
			}
			return
		}
		if n < sweepBatch {
			break
		}
	}
	// Other processes write to the file too: deliver, and a server that has taken over.
	n, err := ask(ctx, s, func(ctx context.Context, db *sql.DB) (n int64, err error) {
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM mark").Scan(&n)
		return n, err
	})
	if err == nil {
		s.entries.Store(n)
	}
}
