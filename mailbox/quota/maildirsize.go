package quota

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// FileName is that of the file in a Maildir that tells what it holds, so that it need not be counted: a line
// with the quota, and then lines of octets and messages that add up. Programs that add or remove mail
// append a line; Dovecot, Courier and maildrop keep it too (Maildir++).
//
// It is a cache, and never synced: what a power cut takes from it is found by counting again, and
// mail is refused only after that.
const FileName = "maildirsize"

const (
	// tallySize is how long the file gets before it is counted anew.
	tallySize = 5120
	// tallyLine is the length of a line, its LF included: lines of one length suffer least where a
	// network file system does not append as one.
	tallyLine = 14
	// tallyFresh is how long a count is good enough to refuse mail by.
	tallyFresh = 15 * time.Minute
)

// A Tally is what a maildirsize says.
type Tally struct {
	Limit  Limit
	Usage  Usage
	Usable bool // it is whole, and short enough
	Fresh  bool // it was counted a short while ago, and nothing has been added to it
	// Written is when the file was written, by the clock of its file system.
	Written time.Time
}

// Parse reads the content of a maildirsize. It is not usable where anything in it is not as it
// should be: every user who can read mail there can write to it.
func Parse(b []byte) Tally {
	var t Tally
	head, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || len(b) >= tallySize || !bytes.HasSuffix(b, []byte("\n")) {
		return Tally{}
	}
	if t.Limit, ok = parseLimit(string(head)); !ok {
		return Tally{}
	}
	lines := 0
	for ; len(rest) > 0; lines++ {
		var change Usage
		if change, rest, ok = cutUsage(rest); !ok {
			return Tally{}
		}
		t.Usage = t.Usage.Plus(change)
	}
	t.Usable = lines > 0 && t.Usage.Bytes >= 0 && t.Usage.Messages >= 0
	t.Fresh = lines == 1
	return t
}

// parseLimit reads a quota as it stands in the first line: "1000000S,100C", in any order.
func parseLimit(line string) (q Limit, ok bool) {
	for part := range strings.SplitSeq(strings.TrimSpace(line), ",") {
		if part == "" {
			return Limit{}, false
		}
		digits, kind := part[:len(part)-1], part[len(part)-1]
		n, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case err != nil || n < 0:
			return Limit{}, false
		case kind == 'S':
			q.Bytes = n
		case kind == 'C':
			q.Messages = n
		default:
			return Limit{}, false
		}
	}
	return q, true
}

// cutUsage reads the first line of b: two numbers between spaces. It is read for each message into a
// mailbox, and leaves nothing to be collected.
func cutUsage(b []byte) (u Usage, rest []byte, ok bool) {
	if u.Bytes, b, ok = cutNumber(b); !ok || b[0] == '\n' {
		return Usage{}, nil, false
	}
	if u.Messages, b, ok = cutNumber(b); !ok {
		return Usage{}, nil, false
	}
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	if len(b) == 0 || b[0] != '\n' {
		return Usage{}, nil, false
	}
	return u, b[1:], true
}

// cutNumber reads a number after spaces. Something must follow it.
func cutNumber(b []byte) (n int64, rest []byte, ok bool) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	end := 0
	for end < len(b) && (b[end] == '-' || '0' <= b[end] && b[end] <= '9') {
		end++
	}
	if end == 0 || end == len(b) || end > len("-9223372036854775808") {
		return 0, nil, false
	}
	n, err := strconv.ParseInt(string(b[:end]), 10, 64)
	return n, b[end:], err == nil
}

// String returns a limit as the first line has it. Dovecot compares it with its own, which leaves out
// what is not limited.
func (l Limit) String() string {
	switch {
	case l.Messages <= 0:
		return strconv.FormatInt(max(l.Bytes, 0), 10) + "S"
	case l.Bytes <= 0:
		return strconv.FormatInt(l.Messages, 10) + "C"
	}
	return strconv.FormatInt(l.Bytes, 10) + "S," + strconv.FormatInt(l.Messages, 10) + "C"
}

// line returns a usage as a line.
func (u Usage) line() []byte {
	bytes, messages := strconv.FormatInt(u.Bytes, 10), strconv.FormatInt(u.Messages, 10)
	pad := max(tallyLine-len(bytes)-len(" ")-len(messages)-len("\n"), 0)
	return []byte(strings.Repeat(" ", pad) + bytes + " " + messages + "\n")
}
