package mailbox

import (
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A ledger is the kernel, with a book of what must survive a power cut by the letter of the
// standard and nothing more: the octets of a file that was synced since, and a name whose
// directory was synced since. Real file systems often keep more, and that is luck.
type ledger struct {
	kernel.Linux
	// forget names the syncs to leave out while saying that they were done.
	forget func(path string, directory bool) bool

	mu    sync.Mutex
	open  map[int]string  // paths of descriptors
	names map[string]bool // made since the beginning, and whether durable
	whole map[string]bool // files, and whether their octets are durable
	torn  []string        // names in new/ given to a file whose octets were not
}

func newLedger(forget func(path string, directory bool) bool) *ledger {
	return &ledger{forget: forget, open: map[int]string{}, names: map[string]bool{}, whole: map[string]bool{}}
}

// survives reports whether a file is whole after a power cut now, and found from the root down.
func (l *ledger) survives(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.whole[path] {
		return false
	}
	for ; path != "/"; path = filepath.Dir(path) {
		if durable, made := l.names[path]; made && !durable {
			return false
		}
	}
	return true
}

func (l *ledger) at(dir int, name string) string {
	if dir == unix.AT_FDCWD {
		return name
	}
	return filepath.Join(l.open[dir], name)
}

func (l *ledger) opened(dir int, name string, fd int, err error) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.open[fd] = l.at(dir, name)
	}
	return fd, err
}

// Openat books a new file in the moment in which it is there: another session may sync its directory at once.
func (l *ledger) Openat(dir int, name string, flags int, mode uint32) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fd, err := l.Linux.Openat(dir, name, flags, mode)
	if err == nil {
		l.open[fd] = l.at(dir, name)
	}
	if err == nil && flags&unix.O_CREAT != 0 {
		l.names[l.at(dir, name)] = false
	}
	return fd, err
}

func (l *ledger) OpenBeneath(dir int, path string, flags int) (int, error) {
	fd, err := l.Linux.OpenBeneath(dir, path, flags)
	return l.opened(dir, path, fd, err)
}

func (l *ledger) Mkdirat(dir int, name string, mode uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.Linux.Mkdirat(dir, name, mode)
	if err == nil {
		l.names[l.at(dir, name)] = false
	}
	return err
}

func (l *ledger) Writev(fd int, bufs [][]byte) (int, error) {
	l.mu.Lock()
	l.whole[l.open[fd]] = false
	l.mu.Unlock()
	return l.Linux.Writev(fd, bufs)
}

// fsync makes durable what was there when it began.
func (l *ledger) Fsync(fd int) error {
	l.mu.Lock()
	path := l.open[fd]
	_, file := l.whole[path]
	var held []string
	for name := range l.names {
		if filepath.Dir(name) == path {
			held = append(held, name)
		}
	}
	l.mu.Unlock()
	if l.forget(path, !file) {
		return nil
	}
	err := l.Linux.Fsync(fd)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && file {
		l.whole[path] = true
	}
	for _, name := range held {
		if _, still := l.names[name]; err == nil && still {
			l.names[name] = true
		}
	}
	return err
}

func (l *ledger) Close(fd int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, fd)
	return l.Linux.Close(fd)
}

func (l *ledger) Rename(fromDir int, from string, toDir int, to string) error {
	return l.move(l.Linux.Rename, fromDir, from, toDir, to)
}

func (l *ledger) Replace(fromDir int, from string, toDir int, to string) error {
	return l.move(l.Linux.Replace, fromDir, from, toDir, to)
}

// move notes that a file has another name, which is not durable yet.
func (l *ledger) move(how func(int, string, int, string) error, fromDir int, from string, toDir int, to string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := how(fromDir, from, toDir, to); err != nil {
		return err
	}
	old, name := l.at(fromDir, from), l.at(toDir, to)
	l.whole[name], l.names[name] = l.whole[old], false
	if !l.whole[name] {
		l.torn = append(l.torn, name)
	}
	delete(l.whole, old)
	delete(l.names, old)
	return nil
}

// link returns a file another name: its octets are as durable as they were.
func (l *ledger) Link(fromDir int, from string, toDir int, to string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.Linux.Link(fromDir, from, toDir, to)
	if err == nil {
		name := l.at(toDir, to)
		l.whole[name], l.names[name] = l.whole[l.at(fromDir, from)], false
	}
	return err
}

func (l *ledger) Unlink(dir int, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := l.at(dir, name)
	delete(l.whole, path)
	delete(l.names, path)
	return l.Linux.Unlink(dir, name)
}

func nothingForgotten(string, bool) bool { return false }

// The syncs there are, as things to forget.
var forgettable = []struct {
	name   string
	forget func(path string, directory bool) bool
}{
	{"every sync", nothingForgotten},
	{"without the file's", func(_ string, directory bool) bool { return !directory }},
	{"without the directory's", func(path string, directory bool) bool {
		return directory && strings.HasSuffix(path, "/new")
	}},
	{"without the parents'", func(path string, directory bool) bool {
		return directory && !strings.HasSuffix(path, "/new")
	}},
}
