package state

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

const (
	// questionsAtOnce bounds the threads that a file system which hangs can keep, and the connections to a server.
	questionsAtOnce = 8
	// writePatience bounds a transaction, the wait for another process included.
	writePatience = 5 * time.Second
	// tries is how often a question is asked that failed for a reason which may be gone at once.
	tries = 3
)

// Options say how much a DB keeps. What is in brackets stands for the zero value.
type Options struct {
	// Path is the file of SQLite, which is made where it is missing. Its directory must be there.
	Path string
	// Keep is how long a mark is remembered. [DefaultKeep]
	Keep time.Duration
	// Entries is how many marks are. Several nodes that use one database count what is there now and then, so that each
	// of them may exceed it by as much as it adds meanwhile. [DefaultEntries]
	Entries int
	// Log gets a line when the store no longer works, and when it does again. [discarded]
	Log *slog.Logger
	// Now is the clock. [time.Now]
	Now func() time.Time
}

// A DB is a Store in a database. It is opened at the first question, and opened and looked at again after an error.
// After an error it counts as one that does not keep anything, until something was written to it: Run tries that.
type DB struct {
	opts    Options
	driver  driver
	words   statements
	breaker *breaker.Breaker
	places  *breaker.Pool

	entries atomic.Int64 // about how many there are
	trouble atomic.Pointer[error]
	logged  atomic.Int32 // 1: that it works, -1: that it does not

	queueing sync.Mutex
	queue    []*request
	writing  bool // a goroutine writes what is in queue
}

// A driver is one database, of one kind. Its methods are called by many goroutines.
type driver interface {
	// open returns the database that is there now, with its tables, which are made where they are missing. entries is how
	// many marks there are, where they were counted anew; else -1.
	open(ctx context.Context) (db *sql.DB, entries int64, err error)
	// inspect is open for people who ask, and makes nothing. It counts the marks.
	inspect(ctx context.Context) (entries int64, err error)
	// failed is called after an error of a question to db, or of open, which has no db. It returns the error as people
	// should see it, and whether the same question may have an answer at once.
	failed(db *sql.DB, err error) (again bool, _ error)
	// isOff reports whether an error of open says that no state is wanted.
	isOff(err error) bool
	// close is the end.
	close() error
	// about is what the log says of it.
	about() slog.Attr
}

func newDB(d driver, words statements, o Options) *DB {
	o.Keep, o.Entries = cmp.Or(o.Keep, DefaultKeep), cmp.Or(o.Entries, DefaultEntries)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &DB{opts: o, driver: d, words: words}
	s.breaker = breaker.New(breaker.Options{Name: "state " + d.about().Value.String(), Probe: s.probe})
	s.places = s.breaker.Pool(questionsAtOnce, nil)
	return s
}

// Keeps reports whether the store worked when it was last used, and has room.
func (s *DB) Keeps() bool { return s.Trouble() == nil }

// Trouble is why the store does not keep anything now; nil where it does. It returns at once.
func (s *DB) Trouble() error {
	if trouble := s.trouble.Load(); trouble != nil {
		return *trouble
	}
	if err := s.breaker.Err(); err != nil {
		return err
	}
	if s.entries.Load() >= int64(s.opts.Entries) {
		return ErrFull
	}
	return nil
}

// Entries is about how many marks are remembered.
func (s *DB) Entries() int64 { return s.entries.Load() }

// Inspect counts the marks, and makes nothing that is not there. An ErrNoTables says that all is well but for the
// tables, or the file, which are made at the first use.
func (s *DB) Inspect(ctx context.Context) (entries int64, err error) { return s.driver.inspect(ctx) }

// Recall returns the items of a subject.
func (s *DB) Recall(ctx context.Context, subject Key) (map[Key]bool, error) {
	items, err := ask(ctx, s, func(ctx context.Context, db *sql.DB) (map[Key]bool, error) {
		return s.words.recall(ctx, db, subject, s.opts.Now())
	})
	if err != nil && !errors.Is(err, context.Canceled) { // who asked has gone: that says nothing of the store
		s.note(err)
	}
	return items, err
}

// ask asks the database that is there, until ctx ends or it does not answer.
func ask[V any](ctx context.Context, s *DB, do func(context.Context, *sql.DB) (V, error)) (V, error) {
	return breaker.Ask(ctx, s.places, breaker.Question[V]{Do: func() (v V, err error) {
		for try := 1; ; try++ {
			db, err := s.open(ctx)
			if err == nil {
				v, err = do(ctx, db)
			}
			if err == nil {
				return v, nil
			}
			again, err := s.driver.failed(db, err)
			if !again || try == tries || ctx.Err() != nil {
				return v, breaker.Unanswered(ctx, err)
			}
		}
	}})
}

func (s *DB) open(ctx context.Context) (*sql.DB, error) {
	db, entries, err := s.driver.open(ctx)
	if err == nil && entries >= 0 {
		s.entries.Store(entries)
	}
	return db, err
}

// probe asks for as little as shows that there is an answer.
func (s *DB) probe(ctx context.Context) error {
	db, err := s.open(ctx)
	if err == nil {
		err = db.PingContext(ctx)
	}
	return breaker.Unanswered(ctx, err)
}

// note notes the outcome of a use, and logs what has changed by it.
func (s *DB) note(err error) {
	now := int32(1)
	if err == nil {
		s.trouble.Store(nil)
	} else {
		s.trouble.Store(&err)
		now = -1
	}
	if s.logged.Swap(now) == now {
		return
	}
	switch {
	case err == nil:
		s.opts.Log.Info("state is kept", s.driver.about(), "entries", s.entries.Load())
	case s.driver.isOff(err):
		s.opts.Log.Info("no state: an alias of which one mailbox cannot take a message is deferred for all", "reason", err)
	default:
		s.opts.Log.Warn("state cannot be kept: until it can, an alias of which one mailbox cannot take a message is "+
			"deferred for all", s.driver.about(), "error", err)
	}
}

// Close closes the database when the questions that are under way have their answers, or does not wait for what hangs.
// The store is not used any more.
func (s *DB) Close(ctx context.Context) error {
	s.breaker.Close()
	_, err := breaker.Ask(ctx, s.places, breaker.Question[struct{}]{Do: func() (none struct{}, err error) {
		return none, s.driver.close()
	}})
	if err != nil {
		return fmt.Errorf("close %s: %w", s.driver.about().Value, err)
	}
	return nil
}
