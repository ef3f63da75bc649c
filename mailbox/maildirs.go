package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/durable"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/internal/semaphore"
)

// maildirs opens Maildirs, and makes what is missing of them. Descriptors are not kept between
// deliveries: opening costs microseconds beside two syncs, and a Maildir that was replaced, or a
// mount that came or went, is seen at once.
type maildirs struct {
	*durable.Disk
	committer durable.Committer
	slots     *durable.Slots
	lists     subscriptions
	encoding  FolderEncoding
	create    bool                       // missing Maildirs
	making    *semaphore.Keyed[Dest]     // Maildirs that are being made
	durable   durableSet[kernel.FileID]  // Maildirs
	entries   durableSet[directoryEntry] // of the directories above
}

func newMaildirs(disk *durable.Disk, c durable.Committer, slots *durable.Slots, o Options) *maildirs {
	return &maildirs{
		Disk: disk, committer: c, slots: slots,
		lists:    subscriptions{fs: disk.FS, courier: o.Folders == FolderUTF8, sync: o.Durability != None},
		encoding: o.Folders, create: o.Create,
		making: semaphore.New[Dest](1),
	}
}

// open opens the Maildir at to. One that is incomplete, missing, or not known to be
// durable itself is prepared: it is the first delivery into it since the start.
func (m *maildirs) open(ctx context.Context, to Dest) (md durable.Maildir, first bool, err error) {
	if err := to.Check(); err != nil {
		return durable.NoMaildir, false, err
	}
	md, err = m.find(to)
	switch {
	case err == nil && m.durable.has(md.ID):
		return md, false, nil
	case err == nil:
		m.Leave(md)
	case errors.Is(err, ErrNoRoot) && to.Fixed == "":
		return durable.NoMaildir, false, err
	case errors.Is(err, ErrNoRoot): // it is made
	case !errors.Is(err, unix.ENOENT):
		return durable.NoMaildir, false, notMaildir(to, err)
	}
	return m.prepare(ctx, to)
}

// find opens a Maildir that should be there.
func (m *maildirs) find(to Dest) (durable.Maildir, error) {
	if to.Owner == (Owner{}) {
		return m.enter(to)
	}
	var found durable.Maildir
	err := m.As(to.Owner, func() (err error) {
		found, err = m.enter(to)
		return err
	})
	if err != nil {
		return durable.NoMaildir, err
	}
	return found, nil
}

// enter opens tmp/ and new/.
func (m *maildirs) enter(to Dest) (durable.Maildir, error) {
	root, err := m.OpenRoot(to.Root, kernel.ToPass)
	if err != nil {
		return durable.NoMaildir, err
	}
	defer m.Shut(root)
	path, md := to.below(), durable.NoMaildir
	if md.Tmp, err = m.OpenPath(root, path+"/tmp"); err != nil {
		return durable.NoMaildir, err
	}
	if md.New, err = m.OpenPath(root, path+"/new"); err == nil {
		md.ID, err = m.Identify(md.New)
	}
	if err == nil {
		err = m.Belongs(to.Owner, md.Tmp, md.New)
	}
	if err != nil {
		m.Leave(md)
		return durable.NoMaildir, err
	}
	return md, nil
}

// openHome opens the directory of a Maildir or folder. It is for who looks at a mailbox, and makes nothing.
func (m *maildirs) openHome(of Dest) (int, error) {
	if err := of.Check(); err != nil {
		return -1, err
	}
	home := -1
	err := m.As(of.Owner, func() error {
		root, err := m.OpenRoot(of.Root, kernel.ToPass)
		if err != nil {
			return err
		}
		defer m.Shut(root)
		if home, err = m.OpenPath(root, of.below()); err != nil {
			return noMailbox(of, err)
		}
		return nil
	})
	return home, err
}

// noMailbox explains an error of opening or making a Maildir.
func noMailbox(to Dest, err error) error {
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("open %s: %w: %w", to, ErrNoMailbox, err)
	}
	return notMaildir(to, err)
}

// notMaildir explains an error of opening a Maildir's directories.
func notMaildir(to Dest, err error) error {
	switch {
	case errors.Is(err, unix.ELOOP):
		return fmt.Errorf("open %s: %w: on the way is a symbolic link, and none is followed: %w", to, ErrNotMaildir, err)
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.EXDEV):
		return fmt.Errorf("open %s: %w: %w", to, ErrNotMaildir, err)
	}
	return fmt.Errorf("open %s: %w", to, err)
}
