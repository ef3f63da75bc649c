package quota

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// trashFolder is the folder that Maildir++ does not count, so that throwing away makes room at once.
const trashFolder = ".Trash"

// Options are the choices of a Ledger.
type Options struct {
	// Grace is by how many octets the last message may go over a quota.
	Grace int64
	// CountTrash counts the folder Trash too.
	CountTrash bool
}

// A Ledger knows the room in mailboxes: what their maildirsize says, and what this process has reserved for copies on
// their way. Reservations of other processes are not seen before they are in maildirsize: the mailbox may then hold
// more than it should, never less.
type Ledger struct {
	fs       kernel.FS
	names    *maildir.Namer
	opts     Options
	mu       sync.Mutex
	balances map[Key]*balance  // of mailboxes that are in use
	looked   map[Key]time.Time // when full mailboxes were looked at (outdated)
}

// NewLedger returns a Ledger without reservations.
func NewLedger(fs kernel.FS, names *maildir.Namer, o Options) *Ledger {
	return &Ledger{fs: fs, names: names, opts: o, balances: make(map[Key]*balance), looked: make(map[Key]time.Time)}
}

// A Key tells a mailbox from others.
type Key struct {
	Root string // the mail root
	Path string // of the Maildir, below it
}

// A Mailbox is one with its Maildir open.
type Mailbox struct {
	Key
	Owner kernel.Owner
	Limit Limit
	// Beyond is how much more than Limit it may hold for this question. It is not written into maildirsize.
	Beyond Limit
	Home   int // a descriptor of the Maildir; -1 if there is none yet
	// Folder is the directory of the folder that a message is for; "" is the Maildir itself.
	Folder string
}

// String returns the path of the Maildir.
func (m Mailbox) String() string { return strings.TrimSuffix(m.Root, "/") + "/" + m.Path }

// apart reports whether a message goes where what is there does not count for other messages. It counts for those that
// go there: else strangers could fill the disk by way of the Trash.
func (l *Ledger) apart(m Mailbox) bool { return m.Folder == trashFolder && !l.opts.CountTrash }

// A balance is what the deliveries of this process know of one mailbox, so that many at once do not
// all take the same room.
type balance struct {
	users int // guarded by Ledger.mu

	// moving is held for reading while a copy gets its name and is added to maildirsize, and for
	// writing while all is counted: so that a count sees each copy of ours on one side only.
	moving sync.RWMutex

	// file is held over a few system calls while maildirsize is read or added to, inside moving.
	file sync.Mutex

	mu        sync.Mutex // inside file, and over no system call
	reserved  Usage      // for copies that are not in maildirsize yet
	unwritten Usage      // of these, what is to be added there
}

// reserve notes room that is taken, or with a negative size given back.
func (b *balance) reserve(size Usage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved = b.reserved.Plus(size)
}

// with is what a mailbox holds with all that is on its way.
func (b *balance) with(held Usage) Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return held.Plus(b.reserved)
}

// write has change, which is reserved, added to maildirsize, by add. It returns when that is done, perhaps by another
// goroutine: one that finds the file busy leaves its change to the next that gets at it, so that many copies at once
// are one line.
func (b *balance) write(change Usage, add func(Usage)) {
	b.mu.Lock()
	b.unwritten = b.unwritten.Plus(change)
	b.mu.Unlock()

	b.file.Lock()
	defer b.file.Unlock()
	b.mu.Lock()
	all := b.unwritten
	b.unwritten = Usage{}
	b.mu.Unlock()
	if all == (Usage{}) {
		return
	}
	add(all)
	b.reserve(Usage{}.minus(all))
}

// take returns the balance of a mailbox, until giveBack.
func (l *Ledger) take(k Key) *balance {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.balances[k]
	if b == nil {
		b = new(balance)
		l.balances[k] = b
	}
	b.users++
	return b
}

func (l *Ledger) giveBack(k Key, b *balance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.users--; b.users == 0 {
		delete(l.balances, k)
	}
}

// Idle reports whether no mailbox is in use.
func (l *Ledger) Idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.balances) == 0
}

// Usage returns what a mailbox holds, as maildirsize says, or else by counting.
func (l *Ledger) Usage(ctx context.Context, of Mailbox) (Usage, error) {
	t, err := l.read(of)
	if err == nil && (!t.Usable || of.Limit != Limit{} && t.Limit != of.Limit) {
		t.Usage, err = l.countOnly(ctx, of, nil)
	}
	if err != nil {
		return Usage{}, fmt.Errorf("usage of %s: %w", of, err)
	}
	return t.Usage, nil
}

// Recount counts what a mailbox holds, and where it has a quota writes that into its maildirsize.
// progress gets the sum so far, now and then; it may be nil.
func (l *Ledger) Recount(ctx context.Context, of Mailbox, progress func(Usage)) (sum Usage, err error) {
	if of.Limit == (Limit{}) {
		sum, err = l.countOnly(ctx, of, progress)
	} else {
		b := l.take(of.Key)
		defer l.giveBack(of.Key, b)
		b.moving.Lock()
		defer b.moving.Unlock()
		var saved error
		if sum, saved, err = l.recount(ctx, of, progress); err == nil {
			err = saved
		}
	}
	if err != nil {
		return sum, fmt.Errorf("count %s: %w", of, err)
	}
	return sum, nil
}
