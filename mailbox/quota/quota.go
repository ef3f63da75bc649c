// Package quota keeps mailboxes within their bounds. It reads and writes maildirsize, the file in which a Maildir++
// says what it holds, counts where that file does not tell, and keeps a ledger of the room that is reserved for copies
// on their way.
package quota

import (
	"errors"
	"math"
)

// ErrExceeded says that a message does not fit into its mailbox, which was counted and is really full.
var ErrExceeded = errors.New("mailbox is over quota")

// A Limit is what a mailbox may hold, all its folders together. A zero bounds nothing.
type Limit struct {
	Bytes    int64 `json:"bytes"` // octets on disk
	Messages int64 `json:"messages"`
}

// A Usage is what a mailbox holds.
type Usage struct {
	Bytes    int64 `json:"bytes"` // octets on disk
	Messages int64 `json:"messages"`
}

// takes reports whether a mailbox that holds u takes one more message of that many octets. The last
// message may go over the bound by grace octets; a mailbox at its bound takes none.
func (l Limit) takes(u Usage, octets, grace int64) bool {
	if l.Messages > 0 && u.Messages >= l.Messages {
		return false
	}
	return l.Bytes <= 0 || u.Bytes < l.Bytes && octets-grace <= l.Bytes-u.Bytes
}

// raised is the limit with more on top; what has none has none.
func (l Limit) raised(by Limit) Limit {
	if l.Bytes > 0 {
		l.Bytes = addBounded(l.Bytes, by.Bytes)
	}
	if l.Messages > 0 {
		l.Messages = addBounded(l.Messages, by.Messages)
	}
	return l
}

// Plus adds, and stops at the largest number: names of files can say any size.
func (u Usage) Plus(v Usage) Usage {
	return Usage{Bytes: addBounded(u.Bytes, v.Bytes), Messages: addBounded(u.Messages, v.Messages)}
}

func (u Usage) minus(v Usage) Usage { return u.Plus(Usage{-v.Bytes, -v.Messages}) }

func addBounded(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}
