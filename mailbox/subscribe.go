package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/internal/guard"
)

const (
	// maxSubscriptions bounds a list of subscriptions that is added to, in octets.
	maxSubscriptions = 1 << 20
	// lockTries and lockWait bound the wait for an IMAP server that changes a list meanwhile,
	// which takes it milliseconds.
	lockTries = 50
	lockWait  = 20 * time.Millisecond
	// staleLock is when a lock was left behind by somebody who is no more.
	staleLock = time.Minute
)

// errForeignList says that a list of subscriptions is nothing that may be replaced.
var errForeignList = errors.New("not a list of subscriptions")

// A subscriptionList is a file in a Maildir with the folders that IMAP clients show, one a line.
type subscriptionList struct {
	name string
	// line gives how the list that begins with old has a folder, by its directory.
	line func(old []byte, dir string) string
	// make makes the list where there is none.
	make bool
}

func (s *Store) subscriptionLists() []subscriptionList {
	return []subscriptionList{
		{"subscriptions", dovecotLine, true},
		{"courierimapsubscribed", courierLine, s.opts.Courier},
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

// subscribe adds a folder to the lists of subscriptions. A list that is no plain file, or a link
// to one that is elsewhere too, or too large, is left alone: the folder is not hidden by that.
func (s *Store) subscribe(ctx context.Context, maildir int, folder string) error {
	for _, list := range s.subscriptionLists() {
		err := s.addTo(ctx, maildir, list, folder)
		if err != nil && !errors.Is(err, errForeignList) {
			return fmt.Errorf("subscribe to %s in %s: %w", folder, list.name, err)
		}
	}
	return nil
}

// addTo adds a folder to a list, unless it is there.
func (s *Store) addTo(ctx context.Context, maildir int, list subscriptionList, folder string) error {
	content, _, err := s.readList(maildir, list)
	if err != nil || list.has(content, folder) || content == nil && !list.make {
		return err
	}
	// What it is written to serves as the lock at the same time, which is Dovecot's way: whoever
	// makes the file next to the list may replace it.
	lock := list.name + ".lock"
	fd, err := s.lock(ctx, maildir, lock)
	if err != nil {
		return err
	}
	err = guard.Call(func() error { return s.replaceList(maildir, list, fd, folder) })
	if err != nil {
		err = errors.Join(err, ignore(s.sys.unlink(maildir, lock), unix.ENOENT))
	}
	return err
}

// replaceList puts the list as it is now, and the folder, in the place of the list, and closes fd,
// which is its lock.
func (s *Store) replaceList(maildir int, list subscriptionList, fd int, folder string) error {
	content, mode, err := s.readList(maildir, list)
	if err != nil {
		s.shut(fd)
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
	return s.sys.replace(maildir, list.name+".lock", maildir, list.name)
}

// has reports whether the list with this content has a folder.
func (l subscriptionList) has(content []byte, folder string) bool {
	line := []byte(l.line(content, folder) + "\n")
	return bytes.HasPrefix(content, line) || bytes.Contains(content, append([]byte("\n"), line...))
}

// lock makes the file that is written to replace another one.
func (s *Store) lock(ctx context.Context, maildir int, name string) (int, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	for range lockTries {
		fd, err := uninterrupted(func() (int, error) { return s.sys.openat(maildir, name, flags, 0o600) })
		if !errors.Is(err, unix.EEXIST) {
			return fd, err
		}
		there, err := s.sys.stat(maildir, name)
		switch {
		case errors.Is(err, unix.ENOENT):
			continue // it has just gone
		case err != nil:
			return -1, err
		case s.sys.now().Sub(there.changed) > staleLock:
			switch err := s.sys.unlink(maildir, name); {
			case errors.Is(err, unix.EISDIR):
				return -1, errForeignList
			case ignore(err, unix.ENOENT) != nil:
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
func (s *Store) readList(maildir int, list subscriptionList) (content []byte, mode uint32, err error) {
	// A pipe would keep the delivery waiting for a writer.
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	fd, err := uninterrupted(func() (int, error) { return s.sys.openat(maildir, list.name, flags, 0) })
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, 0o600, nil
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil, 0, errForeignList // a symbolic link, a socket
	case err != nil:
		return nil, 0, err
	}
	defer s.shut(fd)
	is, err := s.sys.stat(fd, "")
	switch {
	case err != nil:
		return nil, 0, err
	case !is.regular || is.links != 1 || is.size > maxSubscriptions:
		return nil, 0, errForeignList
	}
	content = make([]byte, 0, is.size+256)
	for int64(len(content)) < is.size {
		n, err := uninterrupted(func() (int, error) {
			return s.sys.pread(fd, content[len(content):is.size], int64(len(content)))
		})
		if err != nil {
			return nil, 0, err
		}
		if n == 0 {
			break // it has become shorter
		}
		content = content[:len(content)+n]
	}
	return content, is.mode, nil
}
