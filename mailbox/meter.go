package mailbox

import (
	"context"
	"errors"
	"sync"
)

// A place names a mailbox, whatever folder of it a copy goes to.
type mailboxPlace struct{ root, path string }

// meters holds a meter for each mailbox with a quota that somebody delivers to.
type meters struct {
	mu sync.Mutex
	at map[mailboxPlace]*meter
}

// A meter is what the deliveries of this process know of one mailbox, so that many at once do not
// all take the same room. Those of other processes are not seen before they are in maildirsize: the
// mailbox may then hold more than it should, never less.
type meter struct {
	users int // guarded by meters.mu

	// moving is held for reading while a copy gets its name and is added to maildirsize, and for
	// writing while all is counted: so that a count sees each copy of ours on one side only.
	moving sync.RWMutex

	// file is held over a few system calls while maildirsize is read or added to, inside moving.
	file sync.Mutex

	mu     sync.Mutex // inside file, and over no system call
	due    Usage      // copies that have their room and are not in maildirsize yet
	untold Usage      // of these, what is to be added there
}

// claim notes room that somebody gets, or with a negative size gives back.
func (m *meter) claim(size Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.due = m.due.plus(size)
}

// with is what a mailbox holds with all that is on its way.
func (m *meter) with(held Usage) Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	return held.plus(m.due)
}

// tell has change, which is due, added to maildirsize, by add. It returns when that is done, by
// whomever: who finds the file busy is told for by the next who gets at it, so that many copies at
// once are one line.
func (m *meter) tell(change Usage, add func(Usage)) {
	m.mu.Lock()
	m.untold = m.untold.plus(change)
	m.mu.Unlock()

	m.file.Lock()
	defer m.file.Unlock()
	m.mu.Lock()
	all := m.untold
	m.untold = Usage{}
	m.mu.Unlock()
	if all == (Usage{}) {
		return
	}
	add(all)
	m.claim(Usage{}.minus(all))
}

func (ms *meters) take(to Dest) *meter {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	place := mailboxPlace{to.Root, to.Path}
	m := ms.at[place]
	if m == nil {
		if ms.at == nil {
			ms.at = make(map[mailboxPlace]*meter)
		}
		m = new(meter)
		ms.at[place] = m
	}
	m.users++
	return m
}

func (ms *meters) giveBack(to Dest, m *meter) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m.users--; m.users == 0 {
		delete(ms.at, mailboxPlace{to.Root, to.Path})
	}
}

// openHome opens the Maildir of a mailbox, whatever folder of it is meant.
func (s *Store) openHome(to Dest) (int, error) {
	if err := to.Check(); err != nil {
		return -1, err
	}
	home := -1
	err := s.as(to.Owner, func() error {
		root, err := s.openRoot(to.Root, toPass)
		if err != nil {
			return err
		}
		defer s.shut(root)
		if home, err = s.openBeneath(root, to.Path); err != nil {
			return noMailbox(to, err)
		}
		return nil
	})
	return home, err
}

// tally reads the maildirsize of a mailbox, whose Maildir home is.
func (s *Store) tally(of Dest, home int) (t tally, err error) {
	err = s.as(of.Owner, func() error {
		t, err = s.readTally(home)
		return err
	})
	return t, err
}

// Room reports whether a mailbox has room for a message of so many octets: nil, or an error that
// is ErrOverQuota. It is for who asks before there is a message, and answers nil too where that
// would take long because deliveries are under way; Commit asks again.
func (s *Store) Room(ctx context.Context, to Dest, octets int64) error {
	if !s.counts(to) {
		return nil
	}
	home, err := s.openHome(to)
	if errors.Is(err, ErrNoMailbox) {
		if !to.Quota.takes(Usage{}, octets, s.opts.Grace) {
			return overQuota(to, Usage{}, octets)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer s.shut(home)
	m := s.meters.take(to)
	defer s.meters.giveBack(to, m)

	ask := asking{to: to, home: home, meter: m, octets: octets}
	if done, err := s.ask(ask); done || err != nil {
		return err
	}
	if !m.moving.TryLock() {
		return nil
	}
	defer m.moving.Unlock()
	return s.askSurely(ctx, ask)
}

// An asking is a question for room.
type asking struct {
	to     Dest
	home   int
	meter  *meter
	octets int64
	force  bool // it gets room in any case
	// got is called with what the mailbox holds when there is room, before anybody else can ask.
	got func(held Usage)
}

// ask looks whether there is room by what maildirsize says. What it does not say is that there is
// none: then it is not done.
func (s *Store) ask(a asking) (done bool, err error) {
	a.meter.file.Lock()
	defer a.meter.file.Unlock()
	t, err := s.tally(a.to, a.home)
	if err != nil || !t.usable || t.quota != a.to.Quota {
		return false, err
	}
	return s.grant(a, t.usage), nil
}

// grant gives room, if it is there in a mailbox that holds so much. meter.file is held.
func (s *Store) grant(a asking, held Usage) bool {
	a.meter.mu.Lock()
	defer a.meter.mu.Unlock()
	held = held.plus(a.meter.due) // nobody gets room in between
	if !a.force && !a.to.Quota.takes(held, a.octets, s.opts.Grace) {
		return false
	}
	if a.got != nil {
		a.got(held)
	}
	return true
}

// askSurely is ask for who will take a no: it counts first, unless that was just done, or the file
// cannot be used. meter.moving is held for writing.
func (s *Store) askSurely(ctx context.Context, a asking) error {
	a.meter.file.Lock()
	t, err := s.tally(a.to, a.home)
	granted := err == nil && t.usable && t.quota == a.to.Quota && s.grant(a, t.usage)
	a.meter.file.Unlock()
	if granted || err != nil {
		return err
	}
	if !t.usable || !t.fresh || t.quota != a.to.Quota {
		if t.usage, _, err = s.recount(ctx, a.to, a.home, nil); err != nil {
			return err
		}
	}
	a.meter.file.Lock()
	defer a.meter.file.Unlock()
	if !s.grant(a, t.usage) {
		return overQuota(a.to, a.meter.with(t.usage), a.octets)
	}
	return nil
}
