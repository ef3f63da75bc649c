// Package mount tells the file systems apart on which mail is kept, without a question to any of them, and keeps one
// that hangs from taking the others with it.
package mount

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/lmtp/guard"
	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

const (
	// questions and copies bound what is under way at once on one file system. Each may hold a thread of the operating
	// system until the kernel returns, and copies wait for one another's syncs besides: more of them than syncs.
	questions = 32
	copies    = 256
	// everywhere bounds it over all file systems. Go ends a program that has 10,000 threads.
	everywhere = 2048
	// tableAge is how old the table of mounts may be.
	tableAge = 5 * time.Second
	// known is how many file systems are kept in mind; beyond, those are forgotten on which nothing is under way.
	known = 1024
)

// A FileSystem is one that may hang.
type FileSystem struct {
	*breaker.Breaker
	// Questions are for those who look at a mailbox, Copies for those who write into one.
	Questions, Copies *breaker.Pool
}

// FileSystems are those that were used. It is safe for concurrent use.
type FileSystems struct {
	fs      kernel.FS
	changed func(breaker.State)
	table   func() ([]byte, error)
	shared  chan struct{}

	mu      sync.Mutex
	mounts  map[string]int // mount points, and the number of what is mounted there
	read    time.Time
	reading bool
	of      map[mounted]*FileSystem
}

// A mounted tells what is mounted in a place from everything that was or will be. Another mount there is another file
// system, also while operations hang in the one before, whose answers no one can wait for any more.
type mounted struct {
	point string
	id    int
}

// New returns FileSystems, and has changed called with each at first, when it hangs, and when it answers again; it may
// be nil.
func New(fs kernel.FS, changed func(breaker.State)) *FileSystems {
	f := &FileSystems{
		fs: fs, changed: changed, of: map[mounted]*FileSystem{}, shared: make(chan struct{}, everywhere),
		table: func() ([]byte, error) { return os.ReadFile("/proc/self/mountinfo") },
	}
	f.refresh()
	return f
}

// Of returns the file system of a path below root, by what is mounted on the way as it is written: no symbolic link is
// looked for, because looking would be a question to a file system that may hang.
func (f *FileSystems) Of(root, path string) *FileSystem {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.read) > tableAge && !f.reading {
		f.reading = true
		// A panic leaves the table as it is, and is not looked at again: file systems that are known stay known.
		go func() { _ = guard.Call(func() error { f.refresh(); return nil }) }()
	}
	at := f.find(root, path)
	is := f.of[at]
	if is == nil {
		is = f.add(at, root)
	}
	return is
}

// find looks for the last mount point on the way; without any, as where the table cannot be read, each root is taken
// for a file system of its own. f.mu is held.
func (f *FileSystems) find(root, path string) mounted {
	var room [256]byte
	way := append(append(append(room[:0], strings.TrimSuffix(root, "/")...), '/'), path...)
	for end := len(way); end > 0; end = bytes.LastIndexByte(way[:end], '/') {
		if id, ok := f.mounts[string(way[:end])]; ok {
			return mounted{string(way[:end]), id}
		}
	}
	if id, ok := f.mounts["/"]; ok {
		return mounted{"/", id}
	}
	return mounted{point: root}
}

// add begins with a file system; f.mu is held.
func (f *FileSystems) add(at mounted, root string) *FileSystem {
	if len(f.of) >= known {
		for old, is := range f.of {
			if s := is.State(); !s.Open && s.Running == 0 {
				delete(f.of, old)
			}
		}
	}
	probed := at.point
	if probed == "/" {
		probed = root // it may be a symbolic link
	}
	b := breaker.New(breaker.Options{
		Name: "file system " + at.point, Changed: f.changed, Probe: func(context.Context) error { return f.probe(probed) },
	})
	is := &FileSystem{Breaker: b, Questions: b.Pool(questions, f.shared), Copies: b.Pool(copies, f.shared)}
	f.of[at] = is
	return is
}

// probe asks a file system for something that no cache answers, on a network either, and for a change that changes
// nothing, which waits where the file system is frozen.
func (f *FileSystems) probe(path string) error {
	fd, err := f.fs.OpenRoot(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.EACCES) {
		fd, err = f.fs.OpenRoot(path, kernel.ToPass)
	}
	if err != nil {
		return err
	}
	defer f.fs.Shut(fd)
	if err := f.fs.Statfs(fd); err != nil {
		return err
	}
	return f.fs.TakesChanges(fd)
}

// refresh reads the table of mounts, which the kernel has in memory.
func (f *FileSystems) refresh() {
	table, err := f.table()
	mounts := parse(table)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read, f.reading = time.Now(), false
	if err == nil {
		f.mounts = mounts
	}
}

// parse reads the mount points of a mountinfo (proc_pid_mountinfo(5)). Of several in one place the last covers the
// others.
func parse(table []byte) map[string]int {
	mounts := map[string]int{}
	for line := range strings.Lines(string(table)) {
		const id, point = 0, 4
		fields := strings.Split(line, " ") // the kernel escapes no other white space than ASCII's
		if len(fields) <= point {
			continue
		}
		if n, err := strconv.Atoi(fields[id]); err == nil {
			mounts[escaped.Replace(fields[point])] = n
		}
	}
	return mounts
}

// escaped are the characters that would break a line.
var escaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// States returns how things are with each, by name.
func (f *FileSystems) States() []breaker.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	states := make([]breaker.State, 0, len(f.of))
	for _, is := range f.of {
		states = append(states, is.State())
	}
	slices.SortFunc(states, func(a, b breaker.State) int { return strings.Compare(a.Name, b.Name) })
	return states
}

// Close ends what looks after those that hang.
func (f *FileSystems) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, is := range f.of {
		is.Close()
	}
}
