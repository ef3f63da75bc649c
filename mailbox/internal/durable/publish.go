package durable

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// rename publishes the file in new/, under a name with its sizes, and never over another file.
func (f *File) rename() error {
	base := f.tmpName
	if f.source != nil {
		base = f.disk.Names.Next(f.disk.Now())
	}
	for range NameTries {
		f.newName = f.sized(base)
		var err error
		if f.source != nil {
			err = f.linkSource()
		} else if err = f.disk.Rename(f.dir.Tmp, f.tmpName, f.dir.New, f.newName); err == unix.ENOSYS || err == unix.EINVAL {
			err = f.link() // a file system without RENAME_NOREPLACE
		}
		switch {
		case err == nil:
			f.at = inNew
			return nil
		case !errors.Is(err, unix.EEXIST):
			return f.failed("publish", err)
		}
		base = f.disk.Names.Next(f.disk.Now())
	}
	f.newName = "" // every name tried is another's
	return f.failed("publish", unix.EEXIST)
}

// link publishes as Maildir always did. The name left in tmp/ when unlink fails is only
// litter, for the sweeper: the mail is in new/.
func (f *File) link() error {
	err := f.disk.Link(f.dir.Tmp, f.tmpName, f.dir.New, f.newName)
	if err == nil {
		_ = f.disk.Unlink(f.dir.Tmp, f.tmpName)
	}
	return err
}

// sized is the name in new/ of a file with that name in tmp/.
func (f *File) sized(name string) string { return maildir.WithSizes(name, f.Sizes()) }

// Remove takes back whatever there is of the copy. Its order is that after a panic nothing of it is missing but the
// call that panicked.
func (f *File) Remove() error {
	fd, at := f.fd, f.at
	f.fd, f.at = -1, nowhere
	f.disk.Shut(fd)
	if at == nowhere {
		return nil
	}
	if err := f.asOwner(func(f *File) error { return f.unlink(at) }); err != nil && err != unix.ENOENT {
		return f.failed("remove", err)
	}
	return nil
}

// unlink removes the file from where it has a name.
func (f *File) unlink(at location) error {
	if at == inNew {
		return f.disk.Unlink(f.dir.New, f.newName)
	}
	err := f.disk.Unlink(f.dir.Tmp, f.tmpName)
	if err == unix.ENOENT && f.newName != "" {
		// A rename over the network can report an error and have happened.
		err = f.disk.Unlink(f.dir.New, f.newName)
	}
	return err
}
