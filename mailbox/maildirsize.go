package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maildirsize is the file in a Maildir that tells what it holds, so that nobody has to count: a line
// with the quota, and then lines of octets and messages that add up. Whoever adds or removes mail
// appends a line; Dovecot, Courier and maildrop keep it too (Maildir++).
//
// It is a cache, and never synced: what a power cut takes from it is found by counting again, and
// mail is refused only after that.
const maildirsize = "maildirsize"

const (
	// tallySize is how long the file gets before it is counted anew.
	tallySize = 5120
	// tallyLine is the length of a line, its LF included: lines of one length suffer least where a
	// network file system does not append as one.
	tallyLine = 14
	// tallyFresh is how long a count is good enough to refuse mail by.
	tallyFresh = 15 * time.Minute
)

// A tally is what a maildirsize tells.
type tally struct {
	quota  Quota
	usage  Usage
	usable bool // it is whole, and short enough
	fresh  bool // it was counted a moment ago, and nothing has been added to it
}

// parseTally reads the content of a maildirsize. It is not usable where anything in it is not as it
// should be: whoever can read mail there can write what he likes.
func parseTally(b []byte) tally {
	var t tally
	head, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok || len(b) >= tallySize || !bytes.HasSuffix(b, []byte("\n")) {
		return tally{}
	}
	if t.quota, ok = parseQuota(string(head)); !ok {
		return tally{}
	}
	lines := 0
	for ; len(rest) > 0; lines++ {
		var change Usage
		if change, rest, ok = cutUsage(rest); !ok {
			return tally{}
		}
		t.usage = t.usage.plus(change)
	}
	t.usable = lines > 0 && t.usage.Bytes >= 0 && t.usage.Messages >= 0
	t.fresh = lines == 1
	return t
}

// parseQuota reads a quota as it stands in the first line: "1000000S,100C", in any order.
func parseQuota(line string) (q Quota, ok bool) {
	for part := range strings.SplitSeq(strings.TrimSpace(line), ",") {
		if part == "" {
			return Quota{}, false
		}
		digits, kind := part[:len(part)-1], part[len(part)-1]
		n, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case err != nil || n < 0:
			return Quota{}, false
		case kind == 'S':
			q.Bytes = n
		case kind == 'C':
			q.Messages = n
		default:
			return Quota{}, false
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

// cutNumber reads a number behind spaces, behind which there must be something.
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

// String gives a quota as the first line has it. Dovecot compares it with its own, which has no
// part that bounds nothing.
func (q Quota) String() string {
	switch {
	case q.Messages <= 0:
		return strconv.FormatInt(max(q.Bytes, 0), 10) + "S"
	case q.Bytes <= 0:
		return strconv.FormatInt(q.Messages, 10) + "C"
	}
	return strconv.FormatInt(q.Bytes, 10) + "S," + strconv.FormatInt(q.Messages, 10) + "C"
}

// line gives a usage as a line.
func (u Usage) line() []byte {
	bytes, messages := strconv.FormatInt(u.Bytes, 10), strconv.FormatInt(u.Messages, 10)
	pad := max(tallyLine-len(bytes)-len(" ")-len(messages)-len("\n"), 0)
	return []byte(strings.Repeat(" ", pad) + bytes + " " + messages + "\n")
}

// readTally reads the maildirsize of the Maildir home. What is no file of its own there, such as a
// symbolic link or a second name of another's file, is not usable and gets replaced.
func (s *Store) readTally(home int) (tally, error) {
	fd, info, err := s.openTally(home, unix.O_RDONLY)
	if err != nil || fd < 0 {
		return tally{}, err
	}
	defer s.shut(fd)
	if info.size >= tallySize {
		return tally{}, nil
	}
	content := s.buffers.getSmall()[:info.size]
	defer func() { s.buffers.put(content) }()
	n := 0
	for n < len(content) {
		got, err := uninterrupted(func() (int, error) { return s.sys.pread(fd, content[n:], int64(n)) })
		if err != nil {
			return tally{}, fmt.Errorf("read %s: %w", maildirsize, err)
		}
		if got == 0 {
			break
		}
		n += got
	}
	t := parseTally(content[:n])
	age := s.sys.now().Sub(info.changed).Abs()
	t.fresh = t.fresh && age < tallyFresh
	return t, nil
}

// openTally opens the maildirsize, or returns -1 where there is none to be used: none at all, one that
// is not for this user, one that its owner holds a lease of, or what is no file.
func (s *Store) openTally(home, flags int) (int, fileState, error) {
	flags |= unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_NONBLOCK // the last for a pipe in its place, and a lease
	fd, err := uninterrupted(func() (int, error) { return s.sys.openat(home, maildirsize, flags, 0) })
	switch err {
	case nil:
	case unix.ENOENT, unix.EACCES, unix.EAGAIN, unix.ELOOP, unix.EISDIR, unix.ENXIO, unix.ENODEV:
		return -1, fileState{}, nil
	default:
		return -1, fileState{}, fmt.Errorf("open %s: %w", maildirsize, err)
	}
	info, err := s.sys.stat(fd, "")
	if err != nil {
		s.shut(fd)
		return -1, fileState{}, fmt.Errorf("stat %s: %w", maildirsize, err)
	}
	if !info.regular || info.links != 1 {
		s.shut(fd)
		return -1, fileState{}, nil
	}
	return fd, info, nil
}

// appendTally adds to the maildirsize.
func (s *Store) appendTally(home int, change Usage) error {
	fd, _, err := s.openTally(home, unix.O_WRONLY|unix.O_APPEND)
	if err == nil && fd < 0 {
		err = unix.ENOENT
	}
	if err != nil {
		return err
	}
	err = writeAll(s.sys, fd, [][]byte{change.line()})
	if closed := s.sys.close(fd); err == nil {
		err = closed
	}
	return err
}

// saveTally puts a new maildirsize in the place of whatever is there. A Maildir without tmp/ is yet to
// be made, and has no place for it.
func (s *Store) saveTally(home int, q Quota, u Usage) error {
	tmp, err := s.openComponent(home, "tmp", asDirectory)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open tmp: %w", err)
	}
	defer s.shut(tmp)
	name := s.names.next(s.sys.now()) + "." + maildirsize
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	fd, err := uninterrupted(func() (int, error) { return s.sys.openat(tmp, name, flags, 0o600) })
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	err = writeAll(s.sys, fd, [][]byte{[]byte(q.String() + "\n"), u.line()})
	if closed := s.sys.close(fd); err == nil {
		err = closed
	}
	if err == nil {
		err = s.sys.replace(tmp, name, home, maildirsize)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", maildirsize, err), s.sys.unlink(tmp, name))
	}
	return nil
}
