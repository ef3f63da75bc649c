package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What follows looks at an outbox from outside of the server that sends it. It takes part in nothing, makes no
// directory, and follows no link: the server's user may not be the one who looks.

var (
	// ErrNoEntry is a name that no file of an outbox has.
	ErrNoEntry = errors.New("no such entry")
	// ErrBeingSent is an entry that a server is sending.
	ErrBeingSent = errors.New("it is being sent")
	// errNoFile is what is no regular file.
	errNoFile = errors.New("it is no file")
)

// A File is an entry as it is on the disk.
type File struct {
	Name string
	// Aside is set where it was set aside: it is not sent any more.
	Aside bool
	Size  int64 // octets
	// Since is when it was staged, and Host the machine that sends it, as its name says. They are zero where it does not.
	Since time.Time
	Host  string
	// Entry has its facts, and Err why they cannot be read.
	Entry Entry
	Err   error
}

// parts are the directories of what has been published.
var parts = []string{"new", "failed"}

// List returns what waits in an outbox and what was set aside there, the oldest first, without the headers of messages.
// One that was never opened is empty.
func List(dir string) ([]File, error) {
	var list []File
	for _, part := range parts {
		err := within(dir, part, func(d *os.File) error {
			names, err := d.Readdirnames(-1)
			for _, name := range names {
				f, wrong := read(d, part, name)
				if errors.Is(wrong, fs.ErrNotExist) {
					continue // it was sent in the meantime
				}
				f.Entry.Header, f.Err = nil, wrong
				list = append(list, f)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("outbox: %w", err)
		}
	}
	slices.SortFunc(list, func(x, y File) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Name, y.Name))
	})
	return list, nil
}

// Find returns an entry by the name of its file.
func Find(dir, name string) (found File, err error) {
	err = ErrNoEntry
	for _, part := range parts {
		if !isName(name) || !errors.Is(err, ErrNoEntry) {
			break
		}
		err = within(dir, part, func(d *os.File) error {
			f, wrong := read(d, part, name)
			if errors.Is(wrong, fs.ErrNotExist) {
				return ErrNoEntry
			}
			found, found.Err = f, wrong
			return nil
		})
		if err == nil && found.Name == "" { // there is no such directory
			err = ErrNoEntry
		}
	}
	return found, err
}

// Remove ends an entry for good, by the name of its file, unless a server is sending it.
func Remove(dir, name string) error {
	if !isName(name) {
		return ErrNoEntry
	}
	removed := false
	for _, part := range parts {
		err := within(dir, part, func(d *os.File) error {
			err := remove(d, name)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			removed = err == nil
			return err
		})
		if removed || err != nil {
			return err
		}
	}
	return ErrNoEntry
}

func remove(d *os.File, name string) error {
	f, err := openIn(d, name)
	if err == nil {
		defer f.Close()
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			return ErrBeingSent
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		return err
	} // a link or a socket is not opened, and goes
	if err := unix.Unlinkat(int(d.Fd()), name, 0); err != nil {
		return &fs.PathError{Op: "remove", Path: filepath.Join(d.Name(), name), Err: err}
	}
	return d.Sync()
}

// within calls do with a directory of an outbox, unless there is none.
func within(dir, part string, do func(*os.File) error) (err error) {
	d, err := os.OpenFile(filepath.Join(dir, part), os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return do(d)
}

// isName reports whether a name is that of a file in a directory, and no way to another.
func isName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= unix.NAME_MAX && !strings.ContainsAny(name, "/\x00")
}

func openIn(d *os.File, name string) (*os.File, error) {
	path := filepath.Join(d.Name(), name)
	fd, err := unix.Openat(int(d.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// read reads an entry. With an error, what its name says is known all the same.
func read(d *os.File, part, name string) (f File, err error) {
	f = File{Name: name, Aside: part != "new"}
	f.Since, f.Host = parseName(name)
	file, err := openIn(d, name)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) { // a link, a socket
		return f, errNoFile
	}
	if err != nil {
		return f, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return f, err
	case !info.Mode().IsRegular():
		return f, errNoFile
	}
	f.Size = info.Size()
	content, err := io.ReadAll(io.LimitReader(file, maxEntry+1))
	if err != nil {
		return f, err
	}
	f.Entry, err = decode(content)
	return f, err
}

// parseName returns when an entry was staged, and the machine that sends it; zero where that is no name of an entry.
func parseName(name string) (since time.Time, host string) {
	stamp, rest, _ := strings.Cut(name, ".")
	_, host, found := strings.Cut(rest, ".")
	nanos, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || !found || host == "" {
		return time.Time{}, ""
	}
	return time.Unix(0, nanos), host
}
