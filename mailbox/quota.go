package mailbox

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
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

// overQuota is the error of a message of so many octets, 0 where that is not known, that does not fit. It names the
// mailbox and not the folder that the message was for: the quota is that of all folders together.
func overQuota(to Dest, u Usage, octets int64) error {
	var holds []string
	q := to.Quota
	if q.Bytes > 0 {
		holds = append(holds, sizeText(u.Bytes)+" of "+sizeText(q.Bytes))
	}
	if q.Messages == 1 {
		holds = append(holds, fmt.Sprintf("%d of 1 message", u.Messages))
	} else if q.Messages > 0 {
		holds = append(holds, fmt.Sprintf("%d of %d messages", u.Messages, q.Messages))
	}
	text := to.Inbox().String() + " holds " + strings.Join(holds, ", ")
	if q.Bytes > u.Bytes && octets > q.Bytes-u.Bytes {
		text += ", which leaves no room for " + sizeText(octets)
	}
	return fullError(text)
}

// A fullError is ErrOverQuota, and says of which mailbox.
type fullError string

func (e fullError) Error() string { return string(e) }

// Is says that it is ErrOverQuota.
func (fullError) Is(target error) bool { return target == ErrOverQuota }

// sizeText renders octets for people. It rounds up, so that what exceeds a bound does not look equal to it.
func sizeText(octets int64) string {
	if octets == 1 {
		return "1 octet"
	}
	if octets < 1<<10 {
		return strconv.FormatInt(octets, 10) + " octets"
	}
	tenths := float64(octets) / 1024 * 10
	for _, unit := range []string{" KiB", " MiB", " GiB", " TiB"} {
		if tenths = math.Ceil(tenths); tenths < 1024*10 || unit == " TiB" {
			return strconv.FormatFloat(tenths/10, 'f', -1, 64) + unit
		}
		tenths /= 1024
	}
	panic("unreachable")
}

// trashFolder is the folder that Maildir++ does not count.
const trashFolder = ".Trash"

// counts reports whether what goes to a place counts towards a quota.
func (s *Store) counts(to Dest) bool {
	return to.Quota != Quota{} && (to.Folder != trashFolder || s.opts.CountTrash)
}
