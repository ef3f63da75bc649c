package quota

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// exceeded is the error of a message that does not fit. octets is its size; 0 if that is not known. The error names the
// mailbox and not the folder that the message was for: the quota is that of all folders together.
func exceeded(of Mailbox, u Usage, octets int64) error {
	var holds []string
	q := of.Limit
	if q.Bytes > 0 {
		holds = append(holds, sizeText(u.Bytes)+" of "+sizeText(q.Bytes))
	}
	if q.Messages == 1 {
		holds = append(holds, fmt.Sprintf("%d of 1 message", u.Messages))
	} else if q.Messages > 0 {
		holds = append(holds, fmt.Sprintf("%d of %d messages", u.Messages, q.Messages))
	}
	text := of.String() + " holds " + strings.Join(holds, ", ")
	if q.Bytes > u.Bytes && octets > q.Bytes-u.Bytes {
		text += ", which leaves no room for " + sizeText(octets)
	}
	return fullError(text)
}

// A fullError is ErrExceeded, and say of which mailbox.
type fullError string

func (e fullError) Error() string { return string(e) }

// Is says that it is ErrExceeded.
func (fullError) Is(target error) bool { return target == ErrExceeded }

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
