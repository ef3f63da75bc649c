package mailbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/internal/mount"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
	"github.com/doorstep-mail/doorstep/mailbox/quota"
)

// Errors of a copy that callers tell apart with errors.Is. All are temporary in nature: a
// lost mount looks the same. A full disk or quota is errors.Is(err, unix.ENOSPC) or unix.EDQUOT.
var (
	// ErrNoRoot says that the directory below which the Maildirs live is not there.
	ErrNoRoot = kernel.ErrNoRoot
	// ErrNoMailbox says that there is no Maildir and Options.Create is not set.
	ErrNoMailbox = errors.New("no such Maildir")
	// ErrNotMaildir says that something else is in the way: a symbolic link, a file.
	ErrNotMaildir = errors.New("not a Maildir")
	// ErrOverQuota says that a message does not fit into its mailbox, which was counted and is really full.
	ErrOverQuota = quota.ErrExceeded
	// ErrOwner says that a mailbox cannot be given mail with the rights of its owner: root is
	// none, or the process may not become that user.
	ErrOwner = kernel.ErrOwner
	// ErrForeign says that a directory of the Maildir does not belong to its owner.
	ErrForeign = kernel.ErrForeign

	errClosed = errors.New("mail store is closed")
)

// A Store delivers into Maildirs. It is safe for concurrent use.
type Store struct {
	opts      Options
	disk      *durable.Disk
	committer durable.Committer
	maildirs  *maildirs
	ledger    *quota.Ledger
	busy      *semaphore.Keyed[inbox] // deliveries into a mailbox
	asking    *semaphore.Keyed[inbox] // questions about one
	together  turns
	sweeper   *sweeper
	buffers   buffers
	closed    atomic.Bool
	life      context.Context // until Close
	end       context.CancelFunc

	fileSystems *mount.FileSystems
}

// New returns a Store. It touches no mail.
func New(o Options) (*Store, error) { return newStore(o, kernel.Linux{}) }

func newStore(o Options, sys kernel.System) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	fs, names := kernel.FS{System: sys}, maildir.NewNamer(o.Host)
	s := &Store{
		opts: o, sweeper: newSweeper(), busy: semaphore.New[inbox](o.PerMailbox), asking: semaphore.New[inbox](askAtOnce),
		together: newTurns(o.Together), fileSystems: mount.New(fs, o.Hooks.FileSystem),
	}
	s.disk = &durable.Disk{FS: fs, Names: names, Hooks: o.Hooks.steps()}
	committer, slots, err := durable.New(s.disk, o.Durability, o.Parallel)
	if err != nil {
		return nil, err
	}
	s.committer = committer
	s.maildirs = newMaildirs(s.disk, committer, slots, o)
	s.ledger = quota.NewLedger(fs, names, quota.Options{Grace: o.Grace, CountTrash: o.CountTrash})
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Close ends the use of s: copies that have not reached their Maildir by then fail. It does
// not wait for those that have; Commit does. RunSweeper ends too.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.end()
	s.fileSystems.Close()
	return nil
}

// open opens the Maildir at to for a delivery, and makes what is missing.
func (s *Store) open(ctx context.Context, to Dest) (durable.Maildir, error) {
	if s.closed.Load() {
		return durable.NoMaildir, fmt.Errorf("open %s: %w", to, errClosed)
	}
	md, first, err := s.maildirs.open(ctx, to)
	if first {
		s.sweeper.note(to)
	}
	return md, err
}
