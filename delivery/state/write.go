package state

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

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
func (s *DB) Remember(ctx context.Context, marks []Mark) error {
	if s.entries.Load() >= int64(s.opts.Entries) {
		return ErrFull
	}
	return s.submit(ctx, &request{marks: marks})
}

// Forget forgets a subject.
func (s *DB) Forget(ctx context.Context, subject Key) error {
	return s.submit(ctx, &request{forget: &subject})
}

// submit has a request written, and waits for that as long as ctx lasts.
func (s *DB) submit(ctx context.Context, r *request) error {
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
		return fmt.Errorf("write to %s: %w", s.driver.about().Value, context.Cause(ctx))
	}
}

// write writes what is in the queue, until there is nothing more. There is one that does.
func (s *DB) write() {
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
func (s *DB) commit(all []*request) error {
	ctx, cancel := context.WithTimeout(context.Background(), writePatience)
	defer cancel()
	var marks []Mark
	var subjects []Key
	for _, r := range all {
		marks = append(marks, r.marks...)
		if r.forget != nil {
			subjects = append(subjects, *r.forget)
		}
	}
	// In one order by all nodes, which else could wait for rows of one another.
	slices.SortFunc(marks, func(a, b Mark) int {
		if c := bytes.Compare(a.Subject[:], b.Subject[:]); c != 0 {
			return c
		}
		return bytes.Compare(a.Item[:], b.Item[:])
	})
	marks = slices.Compact(marks)
	slices.SortFunc(subjects, func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
	more, err := ask(ctx, s, func(ctx context.Context, db *sql.DB) (int64, error) {
		return change(ctx, db, func(tx *sql.Tx) (int64, error) { return s.put(ctx, tx, marks, subjects) })
	})
	if err == nil {
		s.entries.Add(more)
	}
	s.note(err)
	return err
}

// put writes marks, removes those of subjects, and returns how many there are more by that. That nothing is changed
// would not show whether anything can be.
func (s *DB) put(ctx context.Context, tx *sql.Tx, marks []Mark, subjects []Key) (more int64, err error) {
	added, err := s.words.insert(ctx, tx, marks, s.opts.Now().Add(s.opts.Keep).Unix())
	if err != nil {
		return 0, err
	}
	removed := int64(0)
	for _, subject := range subjects {
		n, err := s.words.remove(ctx, tx, subject)
		if err != nil {
			return 0, err
		}
		removed += n
	}
	if added+removed == 0 {
		_, err = tx.ExecContext(ctx, s.words.try)
	}
	return added - removed, err
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
