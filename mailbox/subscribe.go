package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

const (
	// maxSubscriptions bounds a list of subscriptions that is added to, in octets.
	maxSubscriptions = 1 << 20
	// lockTries and lockWait bound the wait for an IMAP server that changes a list meanwhile,
	// which takes it milliseconds.
	lockTries = 50
	lockWait  = 20 * time.Millisecond
	// staleLock is when a lock was left by a process that has ended.
	staleLock = time.Minute
)

// errForeignList says that a list of subscriptions is nothing that may be replaced.
var errForeignList = errors.New("not a list of subscriptions")

// subscriptions has IMAP clients show the folders that are made.
type subscriptions struct {
	fs      kernel.FS
	courier bool // in Courier's list too, where there is none yet
	sync    bool
}

// A subscriptionList is a file in a Maildir with the folders that IMAP clients show, one a line.
type subscriptionList struct {
	name string
	// line returns the line of a folder, given its directory, in the list with this content.
	line func(old []byte, dir string) string
	// make makes the list where there is none.
	make bool
}

func (s subscriptions) lists() []subscriptionList {
	return []subscriptionList{
		{"subscriptions", dovecotLine, true},
		{"courierimapsubscribed", courierLine, s.courier},
	}
}

// dovecotLine: the second version of Dovecot's list, which says so in its first line, has tabs
// between levels. A new list is of the first, which every version of Dovecot reads and keeps.
func dovecotLine(old []byte, dir string) string {
	if bytes.HasPrefix(old, []byte("V\t2\n")) {
		return strings.ReplaceAll(dir[1:], ".", "\t")
	}
	return dir[1:]
}

func courierLine(_ []byte, dir string) string { return "INBOX" + dir }

// add adds a folder to the lists of subscriptions. A list that is no plain file, or a link
// to one that is elsewhere too, or too large, is left alone: the folder is not hidden by that.
func (s subscriptions) add(ctx context.Context, maildir int, folder string) error {
	for _, list := range s.lists() {
		err := s.addTo(ctx, maildir, list, folder)
		if err != nil && !errors.Is(err, errForeignList) {
			return fmt.Errorf("subscribe to %s in %s: %w", folder, list.name, err)
		}
	}
	return nil
}

// addTo adds a folder to a list, unless it is there.
func (s subscriptions) addTo(ctx context.Context, maildir int, list subscriptionList, folder string) error {
	content, _, err := s.readList(maildir, list)
	if err != nil || list.has(content, folder) || content == nil && !list.make {
		return err
	}
	// What it is written to serves as the lock at the same time, which is Dovecot's way: the process that
	// makes the file next to the list may replace it.
	lock := list.name + ".lock"
	fd, err := s.lock(ctx, maildir, lock)
	if err != nil {
		return err
	}
	err = guard.Call(func() error { return s.replaceList(maildir, list, fd, folder) })
	if err != nil {
		err = errors.Join(err, kernel.Ignore(s.fs.Unlink(maildir, lock), unix.ENOENT))
	}
	return err
}

// replaceList puts the list as it is now, and the folder, in the place of the list, and closes fd,
// which is its lock.
func (s subscriptions) replaceList(maildir int, list subscriptionList, fd int, folder string) error {
	content, mode, err := s.readList(maildir, list)
	if err != nil {
		s.fs.Shut(fd)
		return err
	}
	if n := len(content); n > 0 && content[n-1] != '\n' {
		content = append(content, '\n') // Dovecot passes over a line without an end
	}
	if !list.has(content, folder) {
		content = append(content, list.line(content, folder)+"\n"...)
	}
	if err := s.fill(fd, content, mode); err != nil {
		return err
	}
	return s.fs.Replace(maildir, list.name+".lock", maildir, list.name)
}

// has reports whether the list with this content has a folder.
func (l subscriptionList) has(content []byte, folder string) bool {
	line := []byte(l.line(content, folder) + "\n")
	return bytes.HasPrefix(content, line) || bytes.Contains(content, append([]byte("\n"), line...))
}

// lock makes the file that is written to replace another one.
func (s subscriptions) lock(ctx context.Context, maildir int, name string) (int, error) {
	for range lockTries {
		fd, err := s.fs.Create(maildir, name)
		if !errors.Is(err, unix.EEXIST) {
			return fd, err
		}
		there, err := s.fs.Stat(maildir, name)
		switch {
		case errors.Is(err, unix.ENOENT):
			continue // it has just gone
		case err != nil:
			return -1, err
		case s.fs.Now().Sub(there.Modified) > staleLock:
			switch err := s.fs.Unlink(maildir, name); {
			case errors.Is(err, unix.EISDIR):
				return -1, errForeignList
			case kernel.Ignore(err, unix.ENOENT) != nil:
				return -1, err
			}
			continue
		}
		select {
		case <-time.After(lockWait):
		case <-ctx.Done():
			return -1, ctx.Err()
		}
	}
	return -1, fmt.Errorf("%s: another program keeps its lock: %w", name, unix.EEXIST)
}

// readList reads a list: nil where there is none, and with which mode it is to be replaced.
func (s subscriptions) readList(maildir int, list subscriptionList) (content []byte, mode uint32, err error) {
	// A pipe would keep the delivery waiting for a writer.
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	fd, err := s.fs.Open(maildir, list.name, flags)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, 0o600, nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, 0, errForeignList // a symbolic link, a socket
	case err != nil:
		return nil, 0, err
	}
	defer s.fs.Shut(fd)
	is, err := s.fs.Stat(fd, "")
	switch {
	case err != nil:
		return nil, 0, err
	case !is.Regular || is.Links != 1 || is.Size > maxSubscriptions:
		return nil, 0, errForeignList
	}
	content = make([]byte, 0, is.Size+256)
	for int64(len(content)) < is.Size {
		n, err := kernel.Uninterrupted(func() (int, error) {
			return s.fs.Pread(fd, content[len(content):is.Size], int64(len(content)))
		})
		if err != nil {
			return nil, 0, err
		}
		if n == 0 {
			break // it has become shorter
		}
		content = content[:len(content)+n]
	}
	return content, is.Mode, nil
}

// fill writes a small new file, and closes it.
func (s subscriptions) fill(fd int, content []byte, mode uint32) error {
	err := s.fs.SetMode(fd, mode)
	if err == nil {
		err = kernel.WriteAll(s.fs, fd, [][]byte{content})
	}
	if err == nil && s.sync {
		err = s.fs.Fsync(fd)
	}
	if closed := s.fs.Close(fd); err == nil {
		err = closed
	}
	return err
}
