package outbox

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
)

// A Call is one system call: "open", "write", "sync", "close", "read", "lock", "rename", "remove", "lstat", "readdir"
// or "mkdir".
type Call struct{ Name, Path string }

// Faulty is the system with a hook ahead of each call: an error of it is that of the call.
type Faulty struct {
	mu     sync.Mutex
	calls  int
	before func(n int, c Call) error
	open   int // files
}

// On has an outbox use it.
func (f *Faulty) On(o *Options) { o.system = &faultySystem{linux{}, f} }

// Before sets the hook, and has the calls counted from 0. It returns how many there were.
func (f *Faulty) Before(hook func(n int, c Call) error) (calls int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls, f.calls, f.before = f.calls, 0, hook
	return calls
}

// Open is how many files are open.
func (f *Faulty) Open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open
}

func (f *Faulty) at(name, path string) error {
	f.mu.Lock()
	n, hook := f.calls, f.before
	f.calls++
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(n, Call{name, path})
}

func (f *Faulty) opened(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open += n
}

type faultySystem struct {
	system
	faults *Faulty
}

func (s *faultySystem) Mkdir(path string) error {
	if err := s.faults.at("mkdir", path); err != nil {
		return err
	}
	return s.system.Mkdir(path)
}

func (s *faultySystem) Open(path string, flags int) (file, error) {
	if err := s.faults.at("open", path); err != nil {
		return nil, err
	}
	f, err := s.system.Open(path, flags)
	if err != nil {
		return nil, err
	}
	s.faults.opened(1)
	return &faultyFile{f, path, s.faults}, nil
}

func (s *faultySystem) Rename(from, to string) error {
	if err := s.faults.at("rename", to); err != nil {
		return err
	}
	return s.system.Rename(from, to)
}

func (s *faultySystem) Remove(path string) error {
	if err := s.faults.at("remove", path); err != nil {
		return err
	}
	return s.system.Remove(path)
}

func (s *faultySystem) Lstat(path string) (os.FileInfo, error) {
	if err := s.faults.at("lstat", path); err != nil {
		return nil, err
	}
	return s.system.Lstat(path)
}

func (s *faultySystem) ReadDir(path string) ([]os.DirEntry, error) {
	if err := s.faults.at("readdir", path); err != nil {
		return nil, err
	}
	return s.system.ReadDir(path)
}

type faultyFile struct {
	file
	path   string
	faults *Faulty
}

func (f *faultyFile) Read(p []byte) (int, error) {
	if err := f.faults.at("read", f.path); err != nil {
		return 0, err
	}
	return f.file.Read(p)
}

// Write writes a part where it fails.
func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.faults.at("write", f.path); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.faults.at("sync", f.path); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *faultyFile) Lock() error {
	if err := f.faults.at("lock", f.path); err != nil {
		return err
	}
	return f.file.Lock()
}

// Close closes the file also where it fails, as the kernel does.
func (f *faultyFile) Close() error {
	fault := f.faults.at("close", f.path)
	f.faults.opened(-1)
	if err := f.file.Close(); err != nil {
		return err
	}
	return fault
}

// In reports whether the call was for an entry in one of the directories, or for the directory itself.
func (c Call) In(sub string) bool {
	return strings.Contains(c.Path, "/outbox/"+sub+"/") || strings.HasSuffix(c.Path, "/outbox/"+sub)
}

// Idle reports whether nothing is under way, and nothing waits.
func (b *Box) Idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting) == 0 && len(b.unpublished) == 0 && b.staged == 0 && b.octets == 0 &&
		b.breaker.State().Running == 0
}

// Round sends what is due, and then returns.
func (b *Box) Round(ctx context.Context, send Send) { b.round(ctx, send) }

// Scratch is a directory in memory where there is one: nothing depends on the disk, and days of a test take moments.
func Scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "outbox")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
