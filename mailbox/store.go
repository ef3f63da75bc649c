package mailbox

import (
	"errors"
	"fmt"
	"os"
)

// Errors of a copy that callers tell apart with errors.Is. All are temporary in nature: a
// lost mount looks the same. A full disk or quota is errors.Is(err, unix.ENOSPC) or unix.EDQUOT.
var (
	// ErrNoRoot says that the directory below which the Maildirs live is not there.
	ErrNoRoot = errors.New("mail root is missing")
	// ErrNoMailbox says that there is no Maildir and Options.Create is not set.
	ErrNoMailbox = errors.New("no such Maildir")
	// ErrNotMaildir says that something else is in the way: a symbolic link, a file.
	ErrNotMaildir = errors.New("not a Maildir")
)

// Options are the choices of a Store. The zero value is good.
type Options struct {
	// Durability is what success means; the default is Group.
	Durability Durability
	// CRLF stores content as received; otherwise lines end in LF on disk, as Unix readers
	// expect.
	CRLF bool
	// Create makes a missing Maildir at its first delivery.
	Create bool
	// Host is the host part of file names; default os.Hostname. Hosts that share a store
	// must differ in it.
	Host string
	// Parallel bounds the syncs in flight on one file system, because each holds a thread
	// of the operating system; default 64.
	Parallel int
}

// A Store delivers into Maildirs. It is safe for concurrent use.
type Store struct {
	opts Options
}

// New returns a Store.
func New(o Options) (*Store, error) {
	if o.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("find the host name: %w", err)
		}
		o.Host = host
	}
	return &Store{opts: o}, nil
}

// Close ends the use of s: a Message that has not been committed by then fails.
func (s *Store) Close() error { return nil }

// A Dest names the Maildir that a copy goes to.
type Dest struct {
	// Root is a directory that must already be there: the fixed part of the store path. It
	// is never created, because a lost mount looks like a missing directory.
	Root string
	// Path is the Maildir below Root: relative, separated by slashes, without empty, "."
	// or ".." components. No symbolic link is followed on it.
	Path string
}
