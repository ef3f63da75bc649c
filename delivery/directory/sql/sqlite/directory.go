package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/doorstep-mail/doorstep/delivery/directory"
	"github.com/doorstep-mail/doorstep/delivery/directory/sql"
	"github.com/doorstep-mail/doorstep/lmtp/guard"
)

// lookEvery is how often at most Epoch looks at the file.
const lookEvery = time.Second

// lookPatience is how long Epoch waits for a look: longer takes only a file system that hangs.
const lookPatience = 100 * time.Millisecond

// A Directory is a database that is read. Before each question it compares the file with the one that is
// open: a restored backup, or what mv, rsync or Ansible put in its place, counts from the next question on.
// Where there is no file, or none that can be read, every question is an error.
type Directory struct {
	options Options

	mu     sync.Mutex
	pool   *pool       // nil: none is open
	orphan os.FileInfo // the log of a database that has been replaced, nil for none
	epoch  uint64      // of how many states of the file this is the last
	looked time.Time   // when Epoch did
	closed bool
}

// A pool is the connections to one state of the file.
type pool struct {
	*sql.Directory
	seen  files
	known bool          // seen has the log that the connections use
	users int           // questions under way
	over  bool          // there will be no more
	ended chan struct{} // closed when all connections are, with err set

	closing bool
	err     error
}

var errClosed = errors.New("the directory is closed")

// Lookup finds an account, or else an alias.
func (d *Directory) Lookup(ctx context.Context, key directory.Key) (directory.Entry, error) {
	return ask(ctx, d, func(p *pool) (directory.Entry, error) { return p.Lookup(ctx, key) })
}

// Domain finds a domain.
func (d *Directory) Domain(ctx context.Context, key string) (directory.Domain, error) {
	return ask(ctx, d, func(p *pool) (directory.Domain, error) { return p.Domain(ctx, key) })
}

// Accounts returns all accounts of the file that is there now.
func (d *Directory) Accounts(ctx context.Context) iter.Seq2[*directory.Account, error] {
	return func(yield func(*directory.Account, error) bool) {
		p, err := d.take(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer d.give(p, nil)
		p.Accounts(ctx)(yield)
	}
}

// ask asks the file that is there. Mail is refused for good because of ErrNotFound, so it counts only where
// that file is still there; else the next one is asked.
func ask[T any](ctx context.Context, d *Directory, question func(*pool) (T, error)) (none T, err error) {
	for range maxChanges {
		p, err := d.take(ctx)
		if err != nil {
			return none, err
		}
		var still bool
		answer, err := func() (answer T, err error) {
			defer func() { still = d.give(p, err) }() // also after a panic
			return question(p)
		}()
		if still || !errors.Is(err, directory.ErrNotFound) {
			return answer, err
		}
	}
	return none, fmt.Errorf("%s changes all the time", d.options.Path)
}

// maxChanges is how often a file may be replaced during one question.
const maxChanges = 3

// take returns the pool of the file that is there now, for one question.
func (d *Directory) take(ctx context.Context) (*pool, error) {
	for {
		now, resolved, err := d.look()
		d.mu.Lock()
		d.compare(now, err)
		p := d.pool
		if err == nil && p == nil {
			if resolved {
				d.mu.Unlock()
				continue // the path may lead elsewhere now
			}
			p, err = d.open(now)
		}
		if err == nil && !p.over {
			p.users++
			d.mu.Unlock()
			return p, nil
		}
		d.mu.Unlock()
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", d.options.Path, err)
		}
		select { // SQLite wants a file closed before another that has its name is opened
		case <-p.ended:
		case <-ctx.Done():
			return nil, fmt.Errorf("open %s, which has changed, anew: %w", d.options.Path, context.Cause(ctx))
		}
	}
}

// look finds the files, where the path led before if they are open.
func (d *Directory) look() (now files, resolved bool, err error) {
	d.mu.Lock()
	path := ""
	if d.pool != nil {
		path = d.pool.seen.path
	}
	d.mu.Unlock()
	now, err = find(d.options.Path, path)
	return now, path != "", err
}

// compare ends the pool where the file is no longer the one it has open. d.mu is held.
func (d *Directory) compare(now files, err error) {
	p := d.pool
	if p == nil || p.over || err == nil && p.is(now) {
		return
	}
	if err == nil {
		if orphan := now.orphan(p.seen); orphan != nil {
			d.orphan = orphan
		}
	}
	d.retire(p)
}

// is reports whether a pool has these files open. Its first connection may make the log.
func (p *pool) is(now files) bool {
	if !p.known {
		return os.SameFile(p.seen.main, now.main)
	}
	return p.seen.same(now)
}

// open opens the file that is there. d.mu is held.
func (d *Directory) open(now files) (*pool, error) {
	if d.closed {
		return nil, errClosed
	}
	if err := now.fits(d.orphan); err != nil {
		return nil, err
	}
	opened, err := connect(d.options)
	if err != nil {
		return nil, err
	}
	d.pool = &pool{Directory: opened, seen: now, ended: make(chan struct{})}
	return d.pool, nil
}

// give ends a question, and reports whether the file that it was asked is there still. It looks where that
// matters: where nothing was found, and for the log that the first connection makes.
func (d *Directory) give(p *pool, answer error) (still bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	unknown := errors.Is(answer, directory.ErrNotFound)
	if unknown || answer == nil && !p.known {
		d.mu.Unlock()
		now, _, err := d.look()
		d.mu.Lock()
		if !p.known && err == nil && p.is(now) {
			p.seen, p.known = now, true
		}
		d.compare(now, err)
	}
	p.users--
	still = !p.over
	if !p.over && isBadFile(answer) {
		d.retire(p) // what its connections remember of a file that was not whole may be why
	}
	d.finish(p)
	return still
}

// isBadFile reports whether SQLite cannot read the file, or makes no sense of it.
func isBadFile(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff { // without the details of https://www.sqlite.org/rescode.html
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return true
	}
	return false
}

// retire ends the use of a pool, and of what is remembered of its answers. d.mu is held.
func (d *Directory) retire(p *pool) {
	d.epoch++
	p.over = true
	d.finish(p)
}

// finish closes the connections of a pool that is over when no lookup uses them any more. d.mu is held.
func (d *Directory) finish(p *pool) {
	if !p.over || p.users > 0 || p.closing {
		return
	}
	p.closing = true
	go func() { // it reads and writes
		p.err = guard.Call(p.Directory.Close)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.pool = nil
		close(p.ended)
	}()
}

// Close closes the connections, when the questions under way have their answers.
func (d *Directory) Close() error {
	d.mu.Lock()
	d.closed = true
	p := d.pool
	if p == nil {
		d.mu.Unlock()
		return nil
	}
	p.over = true
	d.finish(p)
	d.mu.Unlock()
	<-p.ended
	return p.err
}

// Epoch distinguishes states of the file: answers of another epoch are those of a file that has been replaced
// or removed. It looks once a second, and does not wait for a file system that hangs.
func (d *Directory) Epoch() uint64 {
	d.mu.Lock()
	due := time.Since(d.looked) >= lookEvery
	if due {
		d.looked = time.Now()
	}
	epoch := d.epoch
	d.mu.Unlock()
	if !due {
		return epoch
	}
	seen := make(chan uint64, 1)
	go func() {
		var now files
		err := guard.Call(func() (err error) {
			now, _, err = d.look()
			return err
		})
		d.mu.Lock()
		defer d.mu.Unlock()
		d.compare(now, err)
		seen <- d.epoch
	}()
	select {
	case epoch = <-seen:
	case <-time.After(lookPatience):
	}
	return epoch
}
