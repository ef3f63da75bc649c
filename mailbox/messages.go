package mailbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // for authors in whatever charset
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"
	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/maildir"
	"github.com/doorstep-mail/doorstep/mailbox/words"
)

// maxHead bounds what is read of a message for its header.
const maxHead = 64 << 10

// A StoredMessage is a message in a Maildir. Its texts are those of its sender, controls included.
type StoredMessage struct {
	Folder  string // the name of the folder; "" is the inbox
	File    string // the name of the file
	New     bool   // it is in new/: no reader has seen it yet
	Flags   string // letters, as in the name of the file: D, F, P, R, S, T
	Size    int64  // octets on disk
	Stored  time.Time
	Date    time.Time // of its header; zero if it has none that can be read
	From    string    // the first author
	Subject string
}

// errEnough ends a walk.
var errEnough = errors.New("enough messages")

// Messages returns the messages in a mailbox, folder by folder, and whether there are more than limit. It reads as
// the owner, changes nothing, and follows no symbolic link: what is no file is no message. Names of folders that are
// not in the encoding of Options.Folders stand as they are on disk.
func (s *Store) Messages(ctx context.Context, of Dest, limit int) ([]StoredMessage, bool, error) {
	home, err := s.maildirs.openHome(of.Inbox())
	if err != nil {
		return nil, false, err
	}
	defer s.disk.Shut(home)
	r := &messageReader{fs: s.disk.FS, ctx: ctx, limit: limit}
	err = r.fs.As(of.Owner, func() error { return r.mailbox(home, s.opts.Folders) })
	switch {
	case errors.Is(err, errEnough):
		return r.found, true, nil
	case err != nil:
		return r.found, false, fmt.Errorf("read %s: %w", of.Inbox(), err)
	}
	return r.found, false, nil
}

// A messageReader collects messages.
type messageReader struct {
	fs    kernel.FS
	ctx   context.Context
	limit int
	found []StoredMessage
	buf   [maxHead]byte
}

// mailbox reads the Maildir home, and then its folders.
func (r *messageReader) mailbox(home int, e FolderEncoding) error {
	if err := r.maildir(home, ""); err != nil {
		return err
	}
	// Reading a directory moves in it, so that this needs a descriptor of its own.
	return r.fs.Within(home, ".", func(dir int) error {
		return r.fs.List(r.ctx, dir, func(name string) error {
			if name[0] != '.' {
				return nil
			}
			folder, err := e.Name(name)
			if err != nil {
				folder = name
			}
			return r.fs.Within(home, name, func(dir int) error { return r.maildir(dir, folder) })
		})
	})
}

// maildir reads new/ and cur/ of a Maildir or folder.
func (r *messageReader) maildir(dir int, folder string) error {
	err := r.fs.Within(dir, "new", func(in int) error {
		return r.fs.List(r.ctx, in, func(name string) error {
			return r.message(in, StoredMessage{Folder: folder, File: name, New: true})
		})
	})
	if err != nil {
		return err
	}
	return r.fs.Within(dir, "cur", func(in int) error { return r.current(dir, in, folder) })
}

// current reads cur/ of a Maildir, which is open as in: what has flags in its name, and then what has none or others
// than Maildir knows, which readers show all the same.
func (r *messageReader) current(dir, in int, folder string) error {
	seen := map[string]bool{} // by the part of the name that stays when flags change
	// By the descriptor, so that no path leads elsewhere. Should the owner put a link in the place of cur/
	// meanwhile, its names are not in the directory that is open, and nothing is read through it.
	err := maildir.Walk(fmt.Sprintf("/proc/self/fd/%d", dir), func(name, flags string) error {
		seen[maildir.Base(name)] = true
		return r.message(in, StoredMessage{Folder: folder, File: name, Flags: flags})
	})
	if err != nil {
		return err
	}
	return r.fs.List(r.ctx, in, func(name string) error {
		if seen[maildir.Base(name)] {
			return nil
		}
		return r.message(in, StoredMessage{Folder: folder, File: name})
	})
}

// message reads the message with a name in a directory, if it is one.
func (r *messageReader) message(dir int, m StoredMessage) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if m.File[0] == '.' {
		return nil
	}
	fd, err := r.fs.Open(dir, m.File, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENXIO):
		return nil // moved by a reader, a symbolic link, a socket
	case err != nil:
		return fmt.Errorf("open %s: %w", m.File, err)
	}
	defer r.fs.Shut(fd)
	is, err := r.fs.Stat(fd, "")
	if err != nil || !is.Regular {
		return err
	}
	if len(r.found) == r.limit {
		return errEnough
	}
	m.Size, m.Stored = is.Size, is.Modified
	head, err := r.head(fd)
	if err != nil {
		return fmt.Errorf("read %s: %w", m.File, err)
	}
	m.readHead(head)
	r.found = append(r.found, m)
	return nil
}

// head reads the beginning of a message, and returns it until the next call.
func (r *messageReader) head(fd int) ([]byte, error) {
	head := r.buf[:]
	for n := 0; ; {
		got, err := kernel.Uninterrupted(func() (int, error) { return r.fs.Pread(fd, head[n:], int64(n)) })
		if err != nil {
			return nil, err
		}
		if n += got; got == 0 || n == len(head) {
			return head[:n], nil
		}
	}
}

// readHead takes what it can from the header that a message begins with: whatever is wrong with that concerns the
// field only.
func (m *StoredMessage) readHead(head []byte) {
	if end := bytes.Index(head, []byte("\n\n")); end >= 0 {
		head = head[:end+1]
	}
	fields, _ := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\n\n"...))))
	h := mail.Header{Header: message.Header{Header: fields}}
	m.Date, _ = h.Date()
	m.Subject = words.Read(h.Get("Subject"))
	from, err := h.AddressList("From")
	switch {
	case err != nil || len(from) == 0:
		m.From = words.Read(h.Get("From"))
	case from[0].Name != "":
		m.From = from[0].Name + " <" + from[0].Address + ">"
	default:
		m.From = from[0].Address
	}
}
