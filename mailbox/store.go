package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// Errors of a copy that callers tell apart with errors.Is. All are temporary in nature: a
// lost mount looks the same. A full disk or quota is errors.Is(err, unix.ENOSPC) or unix.EDQUOT.
var (
	// ErrNoRoot says that the directory below which the Maildirs live is not there.
	ErrNoRoot = errors.New("mail root is missing")
	// ErrNoMailbox says that there is no Maildir and Options.Create is not set.
	ErrNoMailbox = errors.New("no such Maildir")
	// ErrNotMaildir says that something else is in the way: a symbolic link, a file.
	ErrNotMaildir = errors.New("not a Maildir")

	errClosed = errors.New("mail store is closed")
)

// Options are the choices of a Store. The zero value is good.
type Options struct {
	// Durability is what success means; the default is Group.
	Durability Durability
	// CRLF stores content as received; otherwise lines end in LF on disk, as Unix readers
	// expect.
	CRLF bool
	// Create makes a missing Maildir at its first delivery.
	Create bool
	// Grace is by how many octets the last message may go over a quota.
	Grace int64
	// CountTrash counts the folder Trash towards quotas. Maildir++ does not, so that throwing
	// away makes room at once.
	CountTrash bool
	// Host is the host part of file names; default os.Hostname. Hosts that share a store
	// must differ in it.
	Host string
	// PerMailbox bounds the deliveries into one mailbox, its folders included, that are under way
	// at the same time; more wait for their turn, in order. Default DefaultPerMailbox.
	PerMailbox int
	// Parallel bounds the syncs in flight on one file system, because each holds a thread
	// of the operating system; default 64.
	Parallel int
	// Spool is the directory for large content that goes to several owners, which none of
	// them may be able to change; default $TMPDIR or /var/tmp. Nothing stays there.
	Spool string
	// Courier subscribes to the folders that are made in Courier's list too, where a Maildir has
	// none yet.
	Courier bool
	// SingleCopy stores copies of a message with the same header, of one owner and on one file
	// system, as one file with several names.
	SingleCopy bool
	// Hooks are told how long steps took. [nobody is]
	Hooks Hooks
}

// A Store delivers into Maildirs. It is safe for concurrent use.
type Store struct {
	opts      Options
	sys       system
	names     *namer
	committer committer
	gate      *turnstile[uint64]       // who works on a file system, by device number
	busy      *turnstile[mailboxPlace] // who delivers into a mailbox
	making    *turnstile[Dest]         // who makes a Maildir
	settled   settled[fileID]          // Maildirs
	entries   settled[entry]           // of the directories above
	sweeper   *sweeper
	meters    meters
	buffers   buffers
	closed    atomic.Bool
	life      context.Context // until Close
	end       context.CancelFunc
}

// DefaultPerMailbox is how many deliveries into one mailbox are under way at the same time unless Options say otherwise.
// More would gain nothing: they share the sync of its directory. It leaves most of a file system's syncs to others.
const DefaultPerMailbox = 16

// defaultParallel is where the journals of ext4 and xfs stop gaining from more.
const defaultParallel = 64

// New returns a Store. It touches no mail.
func New(o Options) (*Store, error) { return newStore(o, kernel{}) }

func newStore(o Options, sys system) (*Store, error) {
	if o.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("find the host name: %w", err)
		}
		o.Host = host
	}
	if o.Spool == "" {
		o.Spool = spoolDirectory()
	}
	if o.PerMailbox <= 0 {
		o.PerMailbox = DefaultPerMailbox
	}
	if o.Parallel <= 0 {
		o.Parallel = defaultParallel
	}
	s := &Store{opts: o, sys: sys, names: newNamer(o.Host), sweeper: newSweeper()}
	s.busy, s.making = newTurnstile[mailboxPlace](o.PerMailbox), newTurnstile[Dest](1)
	s.life, s.end = context.WithCancel(context.Background())
	var err error
	s.committer, s.gate, err = o.Durability.committer(sys, o.Parallel, o.Hooks.DirectorySynced)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the use of s: copies that have not reached their Maildir by then fail. It does
// not wait for those that have; Commit does. SweepBehind ends too.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.end()
	return nil
}
