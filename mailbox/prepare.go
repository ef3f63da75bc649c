package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// prepare makes what is missing of the Maildir at to, and makes sure that the Maildir is
// durable itself: that every directory from root down to new/ would be found again after a
// power cut. It opens the Maildir, and reports whether it was the first to make sure of it.
//
// That a directory is there does not say that its name is on the disk: another delivery, in
// this process or one that was killed, may have made it a moment ago. So the first delivery
// into a Maildir since the start syncs all directories above it, whatever made them, and
// deliveries that meet here wait for each other. A directory we may traverse but not read is not synced:
// neither the process nor the owner can have created an entry in it.
func (m *maildirs) prepare(ctx context.Context, to Dest) (md durable.Maildir, first bool, err error) {
	if err := m.making.Acquire(ctx, to.Inbox()); err != nil {
		return durable.NoMaildir, false, fmt.Errorf("wait for %s to be made: %w", to, err)
	}
	defer m.making.Release(to.Inbox())

	chain, md, err := m.build(ctx, to)
	defer func() {
		for _, step := range chain {
			m.Shut(step.fd)
		}
	}()
	if err != nil {
		return durable.NoMaildir, false, err
	}
	if m.durable.has(md.ID) {
		return md, false, nil
	}
	if err := m.settle(chain, md.ID, to.Owner); err != nil {
		m.Leave(md)
		return durable.NoMaildir, false, fmt.Errorf("sync the directories above %s/new: %w", to, err)
	}
	m.durable.add(md.ID)
	return md, true, nil
}

// settle makes the entry of each directory in the one above durable, down to the new/ that is
// called last. One whose entry was synced since it was made there, for another Maildir, is not
// synced again: those at the top are for the first Maildir below them only.
func (m *maildirs) settle(chain []step, last kernel.FileID, owner Owner) error {
	ids := make([]kernel.FileID, 0, len(chain)+1)
	for _, step := range chain {
		id, err := m.Identify(step.fd)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	ids = append(ids, last)
	for i, step := range chain {
		above := directoryEntry{ids[i], ids[i+1]}
		if step.passed || m.entries.has(above) {
			continue
		}
		// It was opened by its entry, so that a sync which begins now is for that entry too.
		if err := m.committer.SyncDirectory(durable.Directory{FD: step.fd, ID: ids[i], Owner: owner}); err != nil {
			return err
		}
		if above.child.Birth != 0 { // else it could be another one with the same number later
			m.entries.add(above)
		}
	}
	return nil
}

// A step is an open directory on the way to a Maildir.
type step struct {
	fd     int
	passed bool // it may not be read, and was opened to go through
}

var noStep = step{fd: -1}

// build opens the directories on the way one by one, making the missing, and then the three
// inside the Maildir. The chain it returns, complete or not, is the caller's to close; it
// begins with the root, or with the fixed part above it.
func (m *maildirs) build(ctx context.Context, to Dest) (chain []step, md durable.Maildir, err error) {
	md = durable.NoMaildir
	var missing []string
	err = m.As(to.Owner, func() (err error) {
		chain, missing, err = m.approach(to)
		return err
	})
	if err != nil {
		return chain, durable.NoMaildir, err
	}
	id, err := m.Identify(chain[len(chain)-1].fd)
	if err != nil {
		return chain, durable.NoMaildir, fmt.Errorf("stat mail root %s: %w", to.Root, err)
	}
	if err := m.slots.Acquire(ctx, id.Device); err != nil {
		return chain, durable.NoMaildir, fmt.Errorf("wait for the file system of %s: %w", to.Root, err)
	}
	defer m.slots.Release(id.Device)
	err = m.As(to.Owner, func() (err error) {
		if chain, err = m.makeRoot(chain, missing); err != nil {
			return err
		}
		if chain, err = m.descend(ctx, chain, to); err != nil {
			return err
		}
		md, err = m.complete(chain[len(chain)-1], to.Owner)
		return err
	})
	if errors.Is(err, ErrNoRoot) {
		return chain, durable.NoMaildir, err
	}
	if err != nil {
		return chain, durable.NoMaildir, noMailbox(to, err)
	}
	return chain, md, nil
}

// rootToBuildIn opens the mail root, for reading if it may be read.
func (m *maildirs) rootToBuildIn(root string) (step, error) {
	fd, err := m.OpenRoot(root, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.EACCES) {
		fd, err = m.OpenRoot(root, kernel.ToPass)
		return step{fd, true}, err
	}
	return step{fd: fd}, err
}

// descend adds the directories below the root, down to the Maildir.
func (m *maildirs) descend(ctx context.Context, chain []step, to Dest) ([]step, error) {
	in := chain[len(chain)-1]
	for name := range strings.SplitSeq(to.Path, "/") {
		next, err := m.subdirectory(in, name, m.create)
		if err != nil {
			return chain, err
		}
		chain, in = append(chain, next), next
	}
	if to.Folder != "" {
		next, err := m.folder(ctx, in, to)
		if err != nil {
			return chain, err
		}
		chain = append(chain, next)
	}
	return chain, nil
}

// complete opens tmp/ and new/ of the Maildir dir and makes those of its three directories
// that are missing. An empty directory is no Maildir: it may be where one gets mounted.
func (m *maildirs) complete(dir step, owner Owner) (durable.Maildir, error) {
	create := m.create
	for _, name := range []string{"cur", "new", "tmp"} {
		fd, err := m.Open(dir.fd, name, kernel.AsDirectory)
		if err == nil {
			create = true
		} else if !errors.Is(err, unix.ENOENT) {
			return durable.NoMaildir, err
		}
		m.Shut(fd)
	}
	cur, err := m.inside(dir, "cur", create)
	if err != nil {
		return durable.NoMaildir, err
	}
	m.Shut(cur)
	md := durable.NoMaildir
	if md.Tmp, err = m.inside(dir, "tmp", create); err == nil {
		md.New, err = m.inside(dir, "new", create)
	}
	if err == nil {
		md.ID, err = m.Identify(md.New)
	}
	if err == nil {
		err = m.Belongs(owner, md.Tmp, md.New)
	}
	if err != nil {
		m.Leave(md)
		return durable.NoMaildir, err
	}
	return md, nil
}

// subdirectory opens the directory name in dir, and makes it when it may and must.
func (m *maildirs) subdirectory(dir step, name string, create bool) (step, error) {
	fd, err := m.inside(dir, name, create)
	if err == unix.EACCES { // from opening it, not from making it
		fd, err = m.Open(dir.fd, name, kernel.ToPass|unix.O_NOFOLLOW)
		return step{fd, true}, err
	}
	return step{fd: fd}, err
}

// inside is subdirectory for one that must be read.
func (m *maildirs) inside(dir step, name string, create bool) (int, error) {
	fd, err := m.Open(dir.fd, name, kernel.AsDirectory)
	if !create || !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	if dir.passed {
		return -1, fmt.Errorf("make %s: its directory may not be read: %w", name, unix.EACCES)
	}
	if err := m.Mkdirat(dir.fd, name, 0o700); errors.Is(err, unix.EEXIST) {
		return m.Open(dir.fd, name, kernel.AsDirectory) // another delivery was faster
	} else if err != nil {
		return -1, fmt.Errorf("make %s: %w", name, err)
	}
	if fd, err = m.Open(dir.fd, name, kernel.AsDirectory); err != nil {
		return -1, err
	}
	if err := m.SetMode(fd, 0o700); err != nil { // whatever the umask says
		m.Shut(fd)
		return -1, fmt.Errorf("chmod %s: %w", name, err)
	}
	return fd, nil
}
