package mailbox

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// approach opens the directories from the fixed part down to the mail root, as far as they are there, and returns the
// names of the others. Each is opened as the administrator wrote it: it may be a symbolic link. The chain is the
// caller's to close, also beside an error. Where the root is never made, it is the root alone.
func (m *maildirs) approach(to Dest) (chain []step, missing []string, err error) {
	at := to.Root
	if to.Fixed != "" && m.create {
		at = to.Fixed
		missing = strings.Split(strings.TrimPrefix(to.Root[len(to.Fixed):], "/"), "/")
	}
	for {
		next, err := m.rootToBuildIn(at)
		if len(chain) > 0 && errors.Is(err, unix.ENOENT) {
			return chain, missing, nil
		}
		if err != nil {
			return chain, missing, err
		}
		if chain = append(chain, next); len(chain) > 1 {
			missing = missing[1:]
		}
		if len(missing) == 0 {
			return chain, nil, nil
		}
		at = path.Join(at, missing[0])
	}
}

// makeRoot makes what is missing of the way to the mail root.
func (m *maildirs) makeRoot(chain []step, missing []string) ([]step, error) {
	for _, name := range missing {
		next, err := m.subdirectory(chain[len(chain)-1], name, true)
		if err != nil {
			return chain, fmt.Errorf("%w: %w", ErrNoRoot, err)
		}
		chain = append(chain, next)
	}
	return chain, nil
}

// couldMakeRoot returns nil where the mail root is missing and the next delivery would make it, and why not
// otherwise: absent, for a root that is never made.
func (m *maildirs) couldMakeRoot(to Dest, absent error) error {
	if to.Fixed == "" || !m.create {
		return absent
	}
	return m.As(to.Owner, func() error {
		chain, missing, err := m.approach(to)
		for _, s := range chain {
			defer m.Shut(s.fd)
		}
		if err != nil || len(missing) == 0 {
			return err
		}
		above := chain[len(chain)-1]
		if above.passed {
			return fmt.Errorf("%w: make %s: its directory may not be read: %w", ErrNoRoot, missing[0], unix.EACCES)
		}
		if _, err := m.Stat(above.fd, missing[0]); err == nil { // a symbolic link that leads nowhere
			return fmt.Errorf("%w: %s leads nowhere", ErrNoRoot, missing[0])
		}
		// A file without a name asks for what a directory in there would: rights, a disk that is not full or read-only.
		fd, err := kernel.Uninterrupted(func() (int, error) {
			return m.Openat(above.fd, ".", unix.O_TMPFILE|unix.O_WRONLY, 0o600)
		})
		if err == nil {
			m.Shut(fd)
			return nil
		}
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) {
			return nil // not every file system has them
		}
		return fmt.Errorf("%w: make %s: %w", ErrNoRoot, missing[0], err)
	})
}
