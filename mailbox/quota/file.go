package quota

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// buffers are for the content of a maildirsize: it is read for each message.
var buffers = sync.Pool{New: func() any { return new([tallySize]byte) }}

// read reads the maildirsize of a mailbox. What is no file of its own there, such as a
// symbolic link or a second name of another's file, is not usable and gets replaced.
func (l *Ledger) read(of Mailbox) (t Tally, err error) {
	err = l.fs.As(of.Owner, func() error {
		t, err = l.readHere(of.Home)
		return err
	})
	return t, err
}

func (l *Ledger) readHere(home int) (Tally, error) {
	fd, is, err := l.open(home, unix.O_RDONLY)
	if err != nil || fd < 0 {
		return Tally{}, err
	}
	defer l.fs.Shut(fd)
	if is.Size >= tallySize {
		return Tally{}, nil
	}
	buffer := buffers.Get().(*[tallySize]byte)
	defer buffers.Put(buffer)
	content, n := buffer[:is.Size], 0
	for n < len(content) {
		got, err := kernel.Uninterrupted(func() (int, error) { return l.fs.Pread(fd, content[n:], int64(n)) })
		if err != nil {
			return Tally{}, fmt.Errorf("read %s: %w", FileName, err)
		}
		if got == 0 {
			break
		}
		n += got
	}
	t := Parse(content[:n])
	age := l.fs.Now().Sub(is.Modified).Abs()
	t.Fresh = t.Fresh && age < tallyFresh
	t.Written = is.Modified
	return t, nil
}

// open opens the maildirsize, or returns -1 where there is none to be used: none at all, one that
// is not for this user, one that its owner holds a lease of, or what is no file.
func (l *Ledger) open(home, flags int) (int, kernel.FileState, error) {
	flags |= unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_NONBLOCK // the last for a pipe in its place, and a lease
	fd, err := l.fs.Open(home, FileName, flags)
	switch err {
	case nil:
	case unix.ENOENT, unix.EACCES, unix.EAGAIN, unix.ELOOP, unix.EISDIR, unix.ENXIO, unix.ENODEV:
		return -1, kernel.FileState{}, nil
	default:
		return -1, kernel.FileState{}, fmt.Errorf("open %s: %w", FileName, err)
	}
	is, err := l.fs.Stat(fd, "")
	if err != nil {
		l.fs.Shut(fd)
		return -1, kernel.FileState{}, fmt.Errorf("stat %s: %w", FileName, err)
	}
	if !is.Regular || is.Links != 1 {
		l.fs.Shut(fd)
		return -1, kernel.FileState{}, nil
	}
	return fd, is, nil
}

// add adds to the maildirsize of a mailbox. The mail is in its place already, so that this cannot fail: a file that
// could not be added to is removed instead, and the next request counts. Where not even that can
// be done the total is too low, until it is counted the next time.
func (l *Ledger) add(to Mailbox, change Usage) {
	if err := l.fs.As(to.Owner, func() error { return l.addHere(to.Home, change) }); err != nil {
		_ = l.fs.As(to.Owner, func() error { return l.fs.Unlink(to.Home, FileName) })
	}
}

func (l *Ledger) addHere(home int, change Usage) error {
	fd, _, err := l.open(home, unix.O_WRONLY|unix.O_APPEND)
	if err == nil && fd < 0 {
		err = unix.ENOENT
	}
	if err != nil {
		return err
	}
	err = kernel.WriteAll(l.fs, fd, [][]byte{change.line()})
	if closed := l.fs.Close(fd); err == nil {
		err = closed
	}
	return err
}

// save puts a new maildirsize in the place of whatever is there. A Maildir without tmp/ is yet to
// be made, and has no place for it.
func (l *Ledger) save(home int, limit Limit, u Usage) error {
	tmp, err := l.fs.Open(home, "tmp", kernel.AsDirectory)
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open tmp: %w", err)
	}
	defer l.fs.Shut(tmp)
	name := l.names.Next(l.fs.Now()) + "." + FileName
	fd, err := l.fs.Create(tmp, name)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	err = kernel.WriteAll(l.fs, fd, [][]byte{[]byte(limit.String() + "\n"), u.line()})
	if closed := l.fs.Close(fd); err == nil {
		err = closed
	}
	if err == nil {
		err = l.fs.Replace(tmp, name, home, FileName)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", FileName, err), l.fs.Unlink(tmp, name))
	}
	return nil
}
