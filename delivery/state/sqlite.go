package state

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
)

const (
	// questionsAtOnce bounds the threads that a file system which hangs can keep.
	questionsAtOnce = 8
	// writePatience bounds a transaction, the wait for another process included.
	writePatience = 5 * time.Second
)

// Options say where an SQLite store is, and how much it keeps.
type Options struct {
	// Path is the file, which is made where it is missing. Its directory must be there.
	Path string
	// Keep is how long a mark is remembered. [DefaultKeep]
	Keep time.Duration
	// Entries is how many marks are. [DefaultEntries]
	Entries int
	// Log gets a line when the store no longer works, and when it does again.
	Log *slog.Logger
	// Now is the clock. [time.Now]
	Now func() time.Time
}

// SQLite is a Store in a file of one machine. It is opened at the first question, and opened again, or made again, when
// the file was removed or replaced, or is damaged. After an error it counts as one that does not keep anything, until
// something was written to it: Run tries that.
type SQLite struct {
	opts    Options
	breaker *breaker.Breaker
	places  *breaker.Pool

	entries atomic.Int64 // about how many there are
	trouble atomic.Pointer[error]
	logged  atomic.Int32 // 1: that it works, -1: that it does not

	opening sync.Mutex
	file    *file // nil: none is open
	closed  bool

	queueing sync.Mutex
	queue    []*request
	writing  bool // a goroutine writes what is in queue
}

// A file is one state of the file that is open.
type file struct {
	*sql.DB
	info os.FileInfo
}

// NewSQLite returns a store that is opened when it is needed. Where its directory is missing it does not keep anything.
func NewSQLite(o Options) *SQLite {
	o.Keep, o.Entries = cmp.Or(o.Keep, DefaultKeep), cmp.Or(o.Entries, DefaultEntries)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &SQLite{opts: o}
	s.breaker = breaker.New(breaker.Options{Name: "state " + o.Path, Probe: s.probe})
	s.places = s.breaker.Pool(questionsAtOnce, nil)
	if _, err := os.Stat(filepath.Dir(o.Path)); err != nil {
		s.trouble.Store(&err)
	}
	return s
}

// Keeps reports whether the store worked when it was last used, and has room.
func (s *SQLite) Keeps() bool {
	return s.trouble.Load() == nil && s.breaker.Err() == nil && s.entries.Load() < int64(s.opts.Entries)
}

// Entries is about how many marks are remembered.
func (s *SQLite) Entries() int64 { return s.entries.Load() }

// Recall returns the items of a subject.
func (s *SQLite) Recall(ctx context.Context, subject Key) (map[Key]bool, error) {
	items, err := ask(ctx, s, func(ctx context.Context, db *sql.DB) (map[Key]bool, error) {
		return recall(ctx, db, subject, s.opts.Now())
	})
	if err != nil && !errors.Is(err, context.Canceled) { // who asked has gone: that says nothing of the store
		s.note(err)
	}
	return items, err
}

func recall(ctx context.Context, db *sql.DB, subject Key, now time.Time) (items map[Key]bool, err error) {
	rows, err := db.QueryContext(ctx, "SELECT item FROM mark WHERE subject = ? AND until > ?", subject[:], now.Unix())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	items = map[Key]bool{}
	for rows.Next() {
		var item []byte
		if err := rows.Scan(&item); err != nil {
			return nil, err
		}
		items[Key(item)] = true // the table has no others
	}
	return items, rows.Err()
}

// ask asks the file that is there, until ctx ends or the file system does not answer.
func ask[V any](ctx context.Context, s *SQLite, do func(context.Context, *sql.DB) (V, error)) (V, error) {
	return breaker.Ask(ctx, s.places, breaker.Question[V]{Do: func() (v V, err error) {
		f, err := s.open(ctx)
		if err != nil {
			return v, err
		}
		if v, err = do(ctx, f.DB); isDamaged(err) {
			err = errors.Join(err, s.setAside(f))
		}
		return v, err
	}})
}

// probe asks for as little as shows that the file system answers.
func (s *SQLite) probe(ctx context.Context) error {
	f, err := s.open(ctx)
	if err == nil {
		err = f.PingContext(ctx)
	}
	return err
}

// note notes the outcome of a use, and logs what has changed by it.
func (s *SQLite) note(err error) {
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
	case errors.Is(err, fs.ErrNotExist): // it is not wanted
		s.opts.Log.Info("no state: an alias of which one mailbox cannot take a message is deferred for all", "reason", err)
	case err != nil:
		s.opts.Log.Warn("state cannot be kept: until it can, an alias of which one mailbox cannot take a message is "+
			"deferred for all", "path", s.opts.Path, "error", err)
	default:
		s.opts.Log.Info("state is kept", "path", s.opts.Path, "entries", s.entries.Load())
	}
}

// Close closes the file when the questions that are under way have their answers, or does not wait for a file system
// that hangs. The store is not used any more.
func (s *SQLite) Close(ctx context.Context) error {
	s.breaker.Close()
	_, err := breaker.Ask(ctx, s.places, breaker.Question[struct{}]{Do: func() (none struct{}, err error) {
		s.opening.Lock()
		defer s.opening.Unlock()
		s.closed = true
		return none, s.shut()
	}})
	if err != nil {
		return fmt.Errorf("close %s: %w", s.opts.Path, err)
	}
	return nil
}
