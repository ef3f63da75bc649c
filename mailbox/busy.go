package mailbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// A mailbox takes so many deliveries at once (Options.PerMailbox), and the others queue: without a
// turn at the file system and without one of the message's workers, so that a mailbox that gets a
// flood, or hangs, holds up nobody else's mail.

// place names the mailbox that a copy goes to, its folders included.
func (f *mailfile) place() mailboxPlace { return mailboxPlace{f.to.Root, f.to.Path} }

// admitted is deliver, once the mailbox is not too busy for it. turns are those of the message's copies
// that had to wait; nil for a copy that is alone.
func (f *mailfile) admitted(ctx context.Context, turns *turnstile[struct{}]) error {
	if f.err != nil || f.msg.dropped[f] != nil {
		return f.deliver(ctx) // which it is not
	}
	busy := f.store().busy
	if err := busy.enter(ctx, f.place()); err != nil {
		return f.withdraw(fmt.Errorf("wait for other deliveries to %s: %w", f.to.Inbox(), err))
	}
	defer busy.leave(f.place())
	if turns != nil {
		if err := turns.enter(ctx, struct{}{}); err != nil {
			return f.withdraw(fmt.Errorf("wait for other copies of the message to %s: %w", f.to.Inbox(), err))
		}
		defer turns.leave(struct{}{})
	}
	return f.deliver(ctx)
}

// enterAll enters the mailboxes of all copies, each once, and always in the same order: two messages
// that wait for one another's would wait for ever. It gives what leaves them again.
func (m *Message) enterAll(ctx context.Context) (leave func(), err error) {
	busy := m.store().busy
	places := make([]mailboxPlace, 0, len(m.files))
	for _, f := range m.files {
		places = append(places, f.place())
	}
	slices.SortFunc(places, func(a, b mailboxPlace) int {
		return cmp.Or(cmp.Compare(a.root, b.root), cmp.Compare(a.path, b.path))
	})
	places = slices.Compact(places)
	for i, place := range places {
		if err := busy.enter(ctx, place); err != nil {
			busy.leaveAll(places[:i])
			return nil, fmt.Errorf("wait for other deliveries to %s/%s: %w", place.root, place.path, err)
		}
	}
	return func() { busy.leaveAll(places) }, nil
}
