package directory

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/doorstep-mail/doorstep/lmtp/guard"

	"golang.org/x/sync/semaphore"
)

// claimTimeout bounds the question to a directory whether it has an address that another one has: mail
// does not wait longer for one that may not have the address at all.
const claimTimeout = time.Second

// An Overlap is an address that several directories have. As an error it is one whose mail must wait
// until an administrator decides to which of them the address belongs.
type Overlap struct {
	Key Key
	// Backends are those that have it, in order.
	Backends []string
	// Deferred says that mail for it is deferred. Else the first of them counts.
	Deferred bool
}

// Error names all that have the address.
func (o *Overlap) Error() string { return "is in " + strings.Join(o.Backends, " and ") }

// overlap finds the backends after number i, which has an address, that have it too and do not
// yield. The error is an *Overlap. One that cannot answer has no say.
func (c *Chain) overlap(ctx context.Context, key Key, i int) error {
	var others []string
	for _, b := range c.Backends[i+1:] {
		if !b.Yields && b.claims(ctx, key) {
			others = append(others, b.Name)
		}
	}
	if len(others) == 0 {
		return nil
	}
	return &Overlap{Key: key, Backends: append([]string{c.Backends[i].Name}, others...), Deferred: true}
}

// claims reports whether the backend has an address, be it in a record that makes no sense.
func (b *Backend) claims(ctx context.Context, key Key) bool {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	_, err := b.Lookup(ctx, key)
	return err == nil || errors.Is(err, ErrBroken)
}

// Claims names all the directories that have an address, in order, for people who ask. One that
// cannot answer is left out.
func (c *Chain) Claims(ctx context.Context, key Key) (names []string) {
	for i := range c.Backends {
		if b := &c.Backends[i]; b.claims(ctx, key) {
			names = append(names, b.Name)
		}
	}
	return names
}

// Overlaps reports each address that several directories of a chain have, once. It finds those of
// which the first counts, too: the mail of a mailbox that was moved, and still stands in the old
// database, must not go astray unnoticed. For these it asks beside the deliveries, for one address
// at a time.
type Overlaps struct {
	chain *Chain
	log   *slog.Logger
	found func(Overlap)
	known *lru.Cache[Key, struct{}]
	turn  *semaphore.Weighted // to look for other claims
}

// NewOverlaps calls found for each. log gets panics of the questions that it asks in the background.
func NewOverlaps(c *Chain, log *slog.Logger, found func(Overlap)) *Overlaps {
	known, err := lru.New[Key, struct{}](memoSize)
	if err != nil {
		panic(err) // only for a size of 0
	}
	return &Overlaps{chain: c, log: log, found: found, known: known, turn: semaphore.NewWeighted(1)}
}

// Tell reports an overlap that a lookup met with.
func (o *Overlaps) Tell(overlap *Overlap) {
	if reported, _ := o.known.ContainsOrAdd(overlap.Key, struct{}{}); !reported {
		o.found(*overlap)
	}
}

// Look looks for other claims to an address that was found. It does not wait: while another
// address is being looked at, this one is left for its next message.
func (o *Overlaps) Look(key Key) {
	if o.known.Contains(key) || !o.turn.TryAcquire(1) {
		return
	}
	o.known.Add(key, struct{}{})
	go guard.Run(o.log, "lookup", func() {
		defer o.turn.Release(1)
		if names := o.chain.Claims(context.Background(), key); len(names) > 1 {
			o.found(Overlap{Key: key, Backends: names})
		}
	})
}
