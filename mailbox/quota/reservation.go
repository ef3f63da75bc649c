package quota

import (
	"context"
	"errors"
	"fmt"
)

// A Reservation is the room that one copy has got in a mailbox. A nil Reservation is for a mailbox without a quota.
type Reservation struct {
	ledger  *Ledger
	to      Mailbox
	balance *balance // nil when it is closed
	size    Usage
	before  Usage // what the mailbox held, with all that is on its way
	granted bool
	counted bool // in maildirsize
}

// Reservation begins one for a copy of that many octets. Its Close closes to.Home.
func (l *Ledger) Reservation(to Mailbox, octets int64) *Reservation {
	return &Reservation{ledger: l, to: to, balance: l.take(to.Key), size: Usage{octets, 1}}
}

// Reserve gets the room, even where there is none if force.
func (r *Reservation) Reserve(ctx context.Context, force bool) error {
	ask := request{to: r.to, balance: r.balance, octets: r.size.Bytes, force: force, reserve: r}
	done, err := r.ledger.askQuickly(ask)
	if !done && err == nil {
		r.balance.moving.Lock()
		defer r.balance.moving.Unlock()
		err = r.ledger.askSurely(ctx, ask)
	}
	if err != nil && !errors.Is(err, ErrExceeded) { // which names the mailbox
		err = fmt.Errorf("quota of %s: %w", r.to, err)
	}
	return err
}

// Publishing is called before the copy gets its name: from here on a count of the mailbox waits for Visible.
func (r *Reservation) Publishing() {
	if r != nil {
		r.balance.moving.RLock()
	}
}

// Visible is called when the copy has its name, or with an error when it has none. It counts the copy.
func (r *Reservation) Visible(err error) {
	if r == nil {
		return
	}
	defer r.balance.moving.RUnlock()
	switch {
	case err != nil:
	case r.ledger.apart(r.to):
		r.giveBack() // the next one for the Trash finds it there
	default:
		r.balance.write(r.size, r.add)
		r.counted = true
	}
}

func (r *Reservation) add(change Usage) { r.ledger.add(r.to, change) }

// Withdraw ends the reservation, because the copy failed.
func (r *Reservation) Withdraw() {
	if r == nil || !r.granted {
		return
	}
	r.giveBack()
	if r.counted {
		r.balance.write(Usage{}.minus(r.size), r.add)
	}
}

// giveBack ends the reservation of the room.
func (r *Reservation) giveBack() {
	r.granted = false
	r.balance.reserve(Usage{}.minus(r.size))
}

// Close ends the use of the mailbox.
func (r *Reservation) Close() {
	if r == nil || r.balance == nil {
		return
	}
	balance := r.balance
	r.balance = nil // first: no descriptor may be closed twice, whatever panics
	defer r.ledger.giveBack(r.to.Key, balance)
	r.ledger.fs.Shut(r.to.Home)
}

// Filled returns what the mailbox held before and after the copy: with all copies that were on their way, so that two
// copies never share a step. Both are zero where the mailbox has no quota, and where the copy is in the Trash and does
// not fill it.
func (r *Reservation) Filled() (before, after Usage) {
	if r == nil || r.ledger.apart(r.to) {
		return Usage{}, Usage{}
	}
	return r.before, r.before.Plus(r.size)
}

// Room reports whether a mailbox has room for a message of that many octets: nil, or an error that
// is ErrExceeded. It is for questions before there is a message, and answers nil too where that
// would take long because deliveries are under way; Reserve asks again.
func (l *Ledger) Room(ctx context.Context, in Mailbox, octets int64) error {
	if in.Home < 0 {
		if !in.Limit.raised(in.Beyond).takes(Usage{}, octets, l.opts.Grace) {
			return exceeded(in, Usage{}, octets)
		}
		return nil
	}
	b := l.take(in.Key)
	defer l.giveBack(in.Key, b)
	ask := request{to: in, balance: b, octets: octets}
	if done, err := l.askQuickly(ask); done || err != nil {
		return err
	}
	if !b.moving.TryLock() {
		return nil
	}
	defer b.moving.Unlock()
	return l.askSurely(ctx, ask)
}

// A request is a question for room.
type request struct {
	to      Mailbox
	balance *balance
	octets  int64
	force   bool         // it gets room in any case
	reserve *Reservation // gets the room; nil for a mere question
	apart   Usage        // what counts for this one besides
}

// askQuickly is ask, unless the answer takes more than maildirsize.
func (l *Ledger) askQuickly(r request) (done bool, err error) {
	if l.apart(r.to) {
		return false, nil
	}
	_, done, err = l.ask(r)
	return done, err
}

// ask looks whether there is room by what maildirsize says. What it does not say is that there is
// none: then it is not done.
func (l *Ledger) ask(r request) (t Tally, done bool, err error) {
	r.balance.file.Lock()
	defer r.balance.file.Unlock()
	t, err = l.read(r.to)
	t.Usable = t.Usable && t.Limit == r.to.Limit
	if err != nil || !t.Usable {
		return t, false, err
	}
	return t, l.grant(r, t.Usage), nil
}

// grant reserves room, if it is there in a mailbox that holds that much. balance.file is held.
func (l *Ledger) grant(r request, held Usage) bool {
	r.balance.mu.Lock()
	defer r.balance.mu.Unlock()
	held = held.Plus(r.apart).Plus(r.balance.reserved) // no other request gets room in between
	if !r.force && !r.to.Limit.raised(r.to.Beyond).takes(held, r.octets, l.opts.Grace) {
		return false
	}
	if r.reserve != nil {
		r.reserve.before, r.reserve.granted = held, true
		r.balance.reserved = r.balance.reserved.Plus(r.reserve.size)
	}
	return true
}

// askSurely is ask with an answer that may refuse: it counts first, unless that was just done, or the file
// cannot be used. balance.moving is held for writing.
func (l *Ledger) askSurely(ctx context.Context, r request) (err error) {
	if l.apart(r.to) {
		if r.apart, err = l.countTrash(ctx, r.to); err != nil {
			return err
		}
	}
	t, granted, err := l.ask(r)
	if granted || err != nil {
		return err
	}
	if !t.Usable || !t.Fresh || l.outdated(ctx, r.to, t.Written) {
		if t.Usage, _, err = l.recount(ctx, r.to, nil); err != nil {
			return err
		}
	}
	r.balance.file.Lock()
	defer r.balance.file.Unlock()
	if !l.grant(r, t.Usage) {
		return exceeded(r.to, r.balance.with(t.Usage.Plus(r.apart)), r.octets)
	}
	return nil
}
