package mailbox

import (
	"errors"
	"fmt"
	"math"
)

// ErrOverQuota says that a message does not fit into its mailbox, which was counted and is really
// full.
var ErrOverQuota = errors.New("mailbox is over quota")

// A Quota is what a mailbox may hold, all its folders together. A zero bounds nothing.
type Quota struct {
	Bytes    int64 `json:"bytes"` // octets on disk
	Messages int64 `json:"messages"`
}

// A Usage is what a mailbox holds.
type Usage struct {
	Bytes    int64 `json:"bytes"` // octets on disk
	Messages int64 `json:"messages"`
}

// takes reports whether a mailbox that holds u takes one more message of so many octets. The last
// message may go over the bound by grace octets; a mailbox at its bound takes none.
func (q Quota) takes(u Usage, octets, grace int64) bool {
	if q.Messages > 0 && u.Messages >= q.Messages {
		return false
	}
	return q.Bytes <= 0 || u.Bytes < q.Bytes && octets-grace <= q.Bytes-u.Bytes
}

// plus adds, and stops at the largest number: names of files can say any size.
func (u Usage) plus(v Usage) Usage {
	return Usage{Bytes: addBounded(u.Bytes, v.Bytes), Messages: addBounded(u.Messages, v.Messages)}
}

func (u Usage) minus(v Usage) Usage { return u.plus(Usage{-v.Bytes, -v.Messages}) }

func addBounded(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}

// overQuota is the error of a message that does not fit.
func overQuota(to Dest, u Usage, octets int64) error {
	return fmt.Errorf("%s holds %d octets in %d messages of its %d in %d, for one of %d: %w",
		to, u.Bytes, u.Messages, to.Quota.Bytes, to.Quota.Messages, octets, ErrOverQuota)
}

// trashFolder is the folder that Maildir++ does not count.
const trashFolder = ".Trash"

// counts reports whether what goes to a place counts towards a quota.
func (s *Store) counts(to Dest) bool {
	return to.Quota != Quota{} && (to.Folder != trashFolder || s.opts.CountTrash)
}
