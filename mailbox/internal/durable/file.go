package durable

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
)

// NameTries bounds the names tried for one file. One collision of 64 random bits will not be
// seen; a second says that something else is wrong.
const NameTries = 4

// A Spec is what a File is to be.
type Spec struct {
	To          fmt.Stringer  // the Maildir or folder, for messages
	Owner       kernel.Owner  // whose file it becomes
	Header      []byte        // as on disk
	HeaderSizes maildir.Sizes // of it
	Content     Content
	Shares      *Shares // the files of the message, where its copies may share one; else nil
}

// A Content is what follows the header of a copy.
type Content interface {
	// Memory returns the content if it is in memory, as on disk.
	Memory() (content []byte, ok bool)
	// CopyTo appends content that is elsewhere to f.
	CopyTo(f *File) error
	// Sizes are those of the whole content.
	Sizes() maildir.Sizes
}

// A File is one copy of a message: the file in tmp/ that becomes the file in new/. Remove leaves neither.
type File struct {
	Spec
	// Observer learns when the copy becomes visible; it may be nil.
	Observer Observer

	disk    *Disk
	dir     Maildir
	fd      int
	pending [2][]byte // what Append has still to write
	lent    bool      // others may be taking their name from this one's Maildir
	source  *share    // the staged file that is to be this copy; nil for a file of its own
	at      location
	tmpName string // the name in tmp/, tried or taken
	newName string // the name in new/, tried or taken
}

// A location says where a File has a name.
type location int

const (
	nowhere location = iota
	inTmp
	inNew
)

// File returns a File that is nowhere yet.
func (d *Disk) File(spec Spec) File { return File{Spec: spec, disk: d, dir: NoMaildir, fd: -1} }

// Open says in which Maildir the copy goes; it is closed by Leave.
func (f *File) Open(md Maildir) { f.dir = md }

// IsOpen reports whether the Maildir is open.
func (f *File) IsOpen() bool { return f.dir != NoMaildir }

// Sizes are those of the whole file.
func (f *File) Sizes() maildir.Sizes { return f.HeaderSizes.Plus(f.Content.Sizes()) }

// Name is the file's name in new/; "" while it has none.
func (f *File) Name() string {
	if f.at != inNew {
		return ""
	}
	return f.newName
}

// newDirectory is new/ of the Maildir that the copy goes to.
func (f *File) newDirectory() Directory { return Directory{f.dir.New, f.dir.ID, f.Owner} }

// asOwner takes a step with the rights of the owner. Without one it costs nothing.
func (f *File) asOwner(step func(*File) error) error {
	if f.Owner == (kernel.Owner{}) {
		return step(f)
	}
	return f.disk.As(f.Owner, func() error { return step(f) })
}

// Create makes the file in tmp/, with its header.
func (f *File) Create() error {
	if err := f.create(); err != nil {
		return err
	}
	return f.Append(f.Header, nil)
}

func (f *File) create() error { return f.asOwner((*File).createFile) }

func (f *File) createFile() error {
	for range NameTries {
		f.tmpName = f.disk.Names.Next(f.disk.Now())
		fd, err := f.disk.Create(f.dir.Tmp, f.tmpName)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return f.failed("create", err)
		}
		f.fd, f.at = fd, inTmp
		if err := f.disk.SetMode(fd, 0o600); err != nil { // whatever the umask says
			return f.failed("chmod", err)
		}
		return nil
	}
	return f.failed("create", unix.EEXIST)
}

// write brings the whole copy into tmp/; what is there already, because the content was too
// large for memory and came this way, is not written again.
func (f *File) write() error {
	if f.at == inTmp {
		return nil
	}
	return timed(f.disk.Hooks.Staged, f.writeWhole)
}

// writeWhole is write for a copy of which nothing is there.
func (f *File) writeWhole() error {
	content, inMemory := f.Content.Memory()
	if !inMemory {
		if err := f.Create(); err != nil {
			return err
		}
		return f.Content.CopyTo(f)
	}
	if err := f.create(); err != nil {
		return err
	}
	return f.Append(f.Header, content)
}

// Append writes a and then b at the end of the file, in one call unless the kernel takes less.
func (f *File) Append(a, b []byte) error {
	f.pending = [2][]byte{a, b}
	if err := kernel.WriteAll(f.disk, f.fd, f.pending[:]); err != nil {
		return f.failed("write", err)
	}
	return nil
}

// Reopen opens the file in tmp/ for reading, and returns where its content begins. It can be read even when the File
// is removed.
func (f *File) Reopen() (fd int, content int64, err error) {
	err = f.asOwner(func(f *File) (err error) {
		// Not to wait, should something else stand there by now: a FIFO.
		fd, err = f.disk.Open(f.dir.Tmp, f.tmpName, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK)
		return err
	})
	if err != nil {
		return -1, 0, f.failed("read back", err)
	}
	return fd, int64(len(f.Header)), nil
}

func (f *File) sync() error {
	err := timed(f.disk.Hooks.Synced, func() error { return f.disk.Fsync(f.fd) })
	if err != nil {
		return f.failed("sync", err)
	}
	return nil
}

// close closes the file. Some file systems (NFS, quotas) tell of a failed write only here.
func (f *File) close() error {
	fd := f.fd
	f.fd = -1 // the descriptor is gone even after an error
	if err := f.disk.Close(fd); err != nil {
		return f.failed("close", err)
	}
	return nil
}

// Leave closes the Maildir, unless others may look for a file in it; Return does that later.
func (f *File) Leave() {
	if f.lent {
		return
	}
	dir := f.dir
	f.dir = NoMaildir // before they are closed: no descriptor may be closed twice, whatever panics
	f.disk.Leave(dir)
}

// failed says what could not be done to which file.
func (f *File) failed(what string, err error) error {
	return fmt.Errorf("%s %s/tmp/%s: %w", what, f.To, f.tmpName, err)
}
