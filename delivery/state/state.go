// Package state remembers what was done already, across attempts of a client and restarts of the server: which
// mailboxes of an alias have a message that its client will send again for the others. What is remembered is bounded in
// number and time, and to lose it is never worse than that something is done twice: who cannot ask goes on without.
package state

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"
)

// ErrFull says that as much is remembered as may be.
var ErrFull = errors.New("as much is remembered as state.entries allows")

// A Key stands for what is remembered. It does not disclose what that is: addresses are not kept.
type Key [sha256.Size]byte

// KeyOf is the key of texts, in their order. The first says what they are about, so that different uses never share a
// key.
func KeyOf(texts ...string) (k Key) {
	h := sha256.New()
	var length [8]byte
	for _, text := range texts {
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:]) // with its length: ("ab", "c") is not ("a", "bc"); a Hash never fails
		h.Write([]byte(text))
	}
	h.Sum(k[:0])
	return k
}

// A Mark is one thing that was done about a subject.
type Mark struct{ Subject, Item Key }

// A Store remembers marks. Its methods are called by many goroutines. Each ends with its context, whatever hangs.
type Store interface {
	// Keeps reports whether Remember works, as far as that is known without a look. It returns at once.
	Keeps() bool
	// Recall returns the items of a subject that are remembered.
	Recall(ctx context.Context, subject Key) (map[Key]bool, error)
	// Remember remembers marks for the time that the store keeps any. They are on the disk when it returns nil. After an
	// error some of them may be remembered.
	Remember(ctx context.Context, marks []Mark) error
	// Forget forgets all items of a subject.
	Forget(ctx context.Context, subject Key) error
}

// The defaults of Options.
const (
	// DefaultKeep is longer than MTAs keep a message in their queues: 5 days (RFC 5321 §4.5.4.1), of Exim 4, and of
	// Sendmail 5.
	DefaultKeep = 7 * 24 * time.Hour
	// DefaultEntries is the marks of 20,000 messages for aliases of 50, about 150 MB.
	DefaultEntries = 1_000_000
)
