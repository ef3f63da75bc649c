package mailbox

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/internal/guard"
)

// nameTries bounds the names tried for one file. One collision of 64 random bits will not be
// seen; a second says that something else is wrong.
const nameTries = 4

// A mailfile is one copy of a message: the file in tmp/ that becomes the file in new/.
// Whatever happens, withdraw leaves neither.
type mailfile struct {
	msg    *Message
	to     Dest
	header []byte // as on disk
	sizes  sizes  // of header

	dir     maildir
	fd      int
	pending [2][]byte // what append has still to write
	shared  bool      // others may be taking their name from this one's Maildir
	source  *share    // the sealed file that is to be this copy; nil for a file of its own
	at      stage
	tmpName string // the name in tmp/, tried or taken
	newName string // the name in new/, tried or taken
	name    string // newName once it is ours, for the log
	err     error  // why the copy failed before the commit

	claim       *claim // nil without a quota, and before the copy has room
	ignoreQuota bool
}

// A stage says where a mailfile has a name.
type stage int

const (
	nowhere stage = iota
	inTmp
	inNew
)

func (f *mailfile) store() *Store { return f.msg.content.store }

// open opens the Maildir, unless that was done.
func (f *mailfile) open(ctx context.Context) (err error) {
	if f.dir == noMaildir {
		f.dir, err = f.store().open(ctx, f.to)
	}
	return err
}

// create makes the file in tmp/, empty.
func (f *mailfile) create() error { return f.asOwner((*mailfile).createFile) }

func (f *mailfile) createFile() error {
	s := f.store()
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	for range nameTries {
		f.tmpName = s.names.next(s.sys.now())
		fd, err := uninterrupted(func() (int, error) { return s.sys.openat(f.dir.tmp, f.tmpName, flags, 0o600) })
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return f.failed("create", err)
		}
		f.fd, f.at = fd, inTmp
		if err := s.sys.setMode(fd, 0o600); err != nil { // whatever the umask says
			return f.failed("chmod", err)
		}
		return nil
	}
	return f.failed("create", unix.EEXIST)
}

// write brings the whole copy into tmp/; what is there already, because the content was too
// large for memory and came this way, is not written again.
func (f *mailfile) write() error {
	if f.at == inTmp {
		return nil
	}
	return timed(f.store().opts.Hooks.Staged, f.stage)
}

// stage is write for a copy of which nothing is there.
func (f *mailfile) stage() error {
	if err := f.create(); err != nil {
		return err
	}
	if f.msg.content.spilled() {
		return f.msg.content.copyTo(f)
	}
	return f.append(f.header, f.msg.content.buf)
}

// append writes a and then b at the end of the file, in one call unless the kernel takes less.
func (f *mailfile) append(a, b []byte) error {
	f.pending = [2][]byte{a, b}
	if err := writeAll(f.store().sys, f.fd, f.pending[:]); err != nil {
		return f.failed("write", err)
	}
	return nil
}

func (f *mailfile) sync() error {
	err := timed(f.store().opts.Hooks.Synced, func() error { return f.store().sys.fsync(f.fd) })
	if err != nil {
		return f.failed("sync", err)
	}
	return nil
}

// close closes the file. Some file systems (NFS, quotas) tell of a failed write only here.
func (f *mailfile) close() error {
	fd := f.fd
	f.fd = -1 // the descriptor is gone even after an error
	if err := f.store().sys.close(fd); err != nil {
		return f.failed("close", err)
	}
	return nil
}

// publish brings the file into new/ under a name with its sizes, never over another file.
func (f *mailfile) publish() error { return f.asOwner((*mailfile).show) }

func (f *mailfile) show() error {
	s := f.store()
	base, move := f.tmpName, f.move
	if f.source != nil {
		base, move = s.names.next(s.sys.now()), f.share
	}
	for range nameTries {
		f.newName = f.sized(base)
		err := move()
		switch {
		case err == nil:
			f.at, f.name = inNew, f.newName
			return nil
		case !errors.Is(err, unix.EEXIST):
			return f.failed("publish", err)
		}
		base = s.names.next(s.sys.now())
	}
	f.newName = "" // every name tried is another's
	return f.failed("publish", unix.EEXIST)
}

// move moves the file from tmp/ into new/.
func (f *mailfile) move() error {
	err := f.store().sys.rename(f.dir.tmp, f.tmpName, f.dir.new, f.newName)
	if err == unix.ENOSYS || err == unix.EINVAL { // a file system without RENAME_NOREPLACE
		return f.publishByLink()
	}
	return err
}

// publishByLink publishes as Maildir always did. The name left in tmp/ when unlink fails is only
// litter, for the sweeper: the mail is in new/.
func (f *mailfile) publishByLink() error {
	sys := f.store().sys
	err := sys.link(f.dir.tmp, f.tmpName, f.dir.new, f.newName)
	if err == nil {
		_ = sys.unlink(f.dir.tmp, f.tmpName)
	}
	return err
}

// withdraw takes back whatever there is of the copy because of err, which it returns,
// joined by what went wrong on the way. It does not panic.
func (f *mailfile) withdraw(err error) error {
	if wrong := guard.Call(f.takeBack); wrong != nil {
		return errors.Join(err, wrong)
	}
	return err
}

// takeBack is withdraw without regard to why. Its order is that after a panic none of it is missing
// but the step that panicked.
func (f *mailfile) takeBack() error {
	defer f.leave()
	defer f.claim.withdraw()
	fd, at := f.fd, f.at
	f.fd, f.at, f.name = -1, nowhere, ""
	f.store().shut(fd)
	if at == nowhere {
		return nil
	}
	if gone := f.asOwner(func(f *mailfile) error { return f.remove(at) }); gone != nil && gone != unix.ENOENT {
		return f.failed("remove", gone)
	}
	return nil
}

// remove removes the file from where it has a name.
func (f *mailfile) remove(at stage) error {
	sys := f.store().sys
	if at == inNew {
		return sys.unlink(f.dir.new, f.newName)
	}
	err := sys.unlink(f.dir.tmp, f.tmpName)
	if err == unix.ENOENT && f.newName != "" {
		// A rename over the network can report an error and have happened.
		err = sys.unlink(f.dir.new, f.newName)
	}
	return err
}

// sized is the name in new/ of a file with that name in tmp/.
func (f *mailfile) sized(name string) string {
	return withSizes(name, f.sizes.plus(f.msg.content.ends.sizes))
}

// leave closes the Maildir; where others may look for a file in it, release does.
func (f *mailfile) leave() {
	f.claim.leave()
	if f.shared {
		return
	}
	dir := f.dir
	f.dir = noMaildir // before they are closed: no descriptor may be closed twice, whatever panics
	f.store().leave(dir)
}

// failed says what could not be done to which file.
func (f *mailfile) failed(what string, err error) error {
	return fmt.Errorf("%s %s/tmp/%s: %w", what, f.to, f.tmpName, err)
}
