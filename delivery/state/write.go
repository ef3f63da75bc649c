package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// A request is to remember marks, or to forget a subject.
type request struct {
	marks  []Mark
	forget *Key
	done   chan error // has room for the outcome
}

// batch bounds the requests of one transaction, and waiting those that wait for theirs.
const (
	batch   = 100
	waiting = 10_000
)

// Remember remembers marks. Those that come while others are being written are written together: the disk is waited for
// once.
func (s *SQLite) Remember(ctx context.Context, marks []Mark) error {
	if s.entries.Load() >= int64(s.opts.Entries) {
		return ErrFull
	}
	return s.submit(ctx, &request{marks: marks})
}

// Forget forgets a subject.
func (s *SQLite) Forget(ctx context.Context, subject Key) error {
	return s.submit(ctx, &request{forget: &subject})
}

// submit has a request written, and waits for that as long as ctx lasts.
func (s *SQLite) submit(ctx context.Context, r *request) error {
	r.done = make(chan error, 1)
	s.queueing.Lock()
	if len(s.queue) == waiting {
		s.queueing.Unlock()
		return errors.New("too much waits to be remembered")
	}
	s.queue = append(s.queue, r)
	if !s.writing {
		s.writing = true
		go s.write()
	}
	s.queueing.Unlock()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("write to %s: %w", s.opts.Path, context.Cause(ctx))
	}
}

// write writes what is in the queue, until there is nothing more. There is one that does.
func (s *SQLite) write() {
	for {
		s.queueing.Lock()
		if len(s.queue) == 0 {
			s.writing = false
			s.queueing.Unlock()
			return
		}
		all := s.queue[:min(len(s.queue), batch)]
		s.queue = s.queue[len(all):]
		s.queueing.Unlock()
		err := guard.Call(func() error { return s.commit(all) })
		for _, r := range all {
			r.done <- err
		}
	}
}

// commit writes requests in one transaction, and finds out by it whether the store works.
func (s *SQLite) commit(all []*request) error {
	ctx, cancel := context.WithTimeout(context.Background(), writePatience)
	defer cancel()
	until := s.opts.Now().Add(s.opts.Keep).Unix()
	more, err := ask(ctx, s, func(ctx context.Context, db *sql.DB) (int64, error) {
		return change(ctx, db, func(tx *sql.Tx) (more int64, err error) {
			// Also where there is nothing to be written: this is how the store is tried.
			if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
				return 0, err
			}
			for _, r := range all {
				n, err := r.write(ctx, tx, until)
				if err != nil {
					return 0, err
				}
				more += n
			}
			return more, nil
		})
	})
	if err == nil {
		s.entries.Add(more)
	}
	s.note(err)
	return err
}

// change does something in a transaction, and returns by how many rows it has changed the table.
func change(ctx context.Context, db *sql.DB, do func(*sql.Tx) (int64, error)) (more int64, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := tx.Rollback(); !errors.Is(e, sql.ErrTxDone) {
			err = errors.Join(err, e)
		}
	}()
	if more, err = do(tx); err != nil {
		return 0, err
	}
	return more, tx.Commit()
}

func (r *request) write(ctx context.Context, tx *sql.Tx, until int64) (more int64, err error) {
	if r.forget != nil {
		n, err := affected(tx.ExecContext(ctx, "DELETE FROM mark WHERE subject = ?", r.forget[:]))
		return -n, err
	}
	for _, m := range r.marks {
		n, err := affected(tx.ExecContext(ctx,
			"INSERT INTO mark (subject, item, until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", m.Subject[:], m.Item[:], until))
		if err != nil {
			return 0, err
		}
		more += n
	}
	return more, nil
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
