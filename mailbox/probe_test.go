package mailbox

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// errShort makes a probe write less than it was asked to, as a write may.
const errShort = unix.Errno(0xffff)

// A call is one call of the package to the kernel.
type call struct {
	name string // of the method of system
	path string // of the file, or of the directory and the name in it
}

// A probe is the kernel with every call recorded and, where a test wants it, replaced.
type probe struct {
	kernel
	clock func() time.Time
	// before is asked ahead of each call, numbered from 0; an error takes the call's place.
	before func(n int, c call) error
	// device replaces the device number of a path.
	device func(path string) (dev uint64, ok bool)
	// synced asks for a call "fsync done" after each fsync.
	synced bool

	mu    sync.Mutex
	calls []call
	paths map[int]string // open descriptors
}

func newProbe() *probe { return &probe{paths: make(map[int]string)} }

func (p *probe) note(name string, fd int, rel string) error {
	p.mu.Lock()
	path := rel
	if fd >= 0 {
		path = filepath.Join(p.paths[fd], rel)
	}
	c, n := call{name, path}, len(p.calls)
	p.calls = append(p.calls, c)
	p.mu.Unlock()
	if p.before != nil {
		return p.before(n, c)
	}
	return nil
}

func (p *probe) opened(dir int, rel string, fd int, err error) (int, error) {
	if err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if dir >= 0 {
			rel = filepath.Join(p.paths[dir], rel)
		}
		p.paths[fd] = rel
	}
	return fd, err
}

// take returns the calls since the last take.
func (p *probe) take() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := p.calls
	p.calls = nil
	return calls
}

// leaks returns the paths of descriptors that are still open.
func (p *probe) leaks() (paths []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, path := range p.paths {
		paths = append(paths, path)
	}
	return paths
}

func (p *probe) now() time.Time {
	if p.clock != nil {
		return p.clock()
	}
	return time.Now()
}

func (p *probe) openat(dir int, name string, flags int, mode uint32) (int, error) {
	if err := p.note("openat", dir, name); err != nil {
		return -1, err
	}
	fd, err := p.kernel.openat(dir, name, flags, mode)
	return p.opened(dir, name, fd, err)
}

func (p *probe) openBeneath(dir int, path string, flags int) (int, error) {
	if err := p.note("openBeneath", dir, path); err != nil {
		return -1, err
	}
	fd, err := p.kernel.openBeneath(dir, path, flags)
	return p.opened(dir, path, fd, err)
}

func (p *probe) mkdirat(dir int, name string, mode uint32) error {
	if err := p.note("mkdirat", dir, name); err != nil {
		return err
	}
	return p.kernel.mkdirat(dir, name, mode)
}

func (p *probe) setMode(fd int, mode uint32) error {
	if err := p.note("setMode", fd, ""); err != nil {
		return err
	}
	return p.kernel.setMode(fd, mode)
}

func (p *probe) identify(fd int) (fileID, error) {
	if err := p.note("identify", fd, ""); err != nil {
		return fileID{}, err
	}
	id, err := p.kernel.identify(fd)
	if p.device != nil {
		p.mu.Lock()
		path := p.paths[fd]
		p.mu.Unlock()
		if dev, ok := p.device(path); ok {
			id.dev = dev
		}
	}
	return id, err
}

func (p *probe) writev(fd int, bufs [][]byte) (int, error) {
	switch err := p.note("writev", fd, ""); err {
	case nil:
		return p.kernel.writev(fd, bufs)
	case errShort:
		return p.kernel.writev(fd, [][]byte{bufs[0][:(len(bufs[0])+1)/2]})
	default:
		return -1, err
	}
}

func (p *probe) pread(fd int, b []byte, off int64) (int, error) {
	switch err := p.note("pread", fd, ""); err {
	case nil:
		return p.kernel.pread(fd, b, off)
	case errShort:
		return p.kernel.pread(fd, b[:(len(b)+1)/2], off)
	default:
		return -1, err
	}
}

func (p *probe) fsync(fd int) error {
	if err := p.note("fsync", fd, ""); err != nil {
		return err
	}
	if err := p.kernel.fsync(fd); err != nil || !p.synced {
		return err
	}
	return p.note("fsync done", fd, "")
}

func (p *probe) takesChanges(fd int) error {
	if err := p.note("takesChanges", fd, ""); err != nil {
		return err
	}
	return p.kernel.takesChanges(fd)
}

func (p *probe) stat(dir int, name string) (fileState, error) {
	if err := p.note("stat", dir, name); err != nil {
		return fileState{}, err
	}
	return p.kernel.stat(dir, name)
}

// close always closes, as the kernel does whatever it returns.
func (p *probe) close(fd int) error {
	injected := p.note("close", fd, "")
	p.mu.Lock()
	if _, ok := p.paths[fd]; !ok {
		panic("a descriptor was closed twice")
	}
	delete(p.paths, fd)
	p.mu.Unlock()
	if err := p.kernel.close(fd); err != nil {
		return err
	}
	return injected
}

func (p *probe) rename(fromDir int, from string, toDir int, to string) error {
	if err := p.note("rename", toDir, to); err != nil {
		return err
	}
	return p.kernel.rename(fromDir, from, toDir, to)
}

func (p *probe) replace(fromDir int, from string, toDir int, to string) error {
	if err := p.note("replace", toDir, to); err != nil {
		return err
	}
	return p.kernel.replace(fromDir, from, toDir, to)
}

func (p *probe) link(fromDir int, from string, toDir int, to string) error {
	if err := p.note("link", toDir, to); err != nil {
		return err
	}
	return p.kernel.link(fromDir, from, toDir, to)
}

func (p *probe) unlink(dir int, name string) error {
	if err := p.note("unlink", dir, name); err != nil {
		return err
	}
	return p.kernel.unlink(dir, name)
}

func (p *probe) ownerOf(fd int) (uint32, error) {
	if err := p.note("ownerOf", fd, ""); err != nil {
		return 0, err
	}
	return p.kernel.ownerOf(fd)
}

func (p *probe) as(o Owner, step func() error) error {
	if err := p.note("as", -1, o.String()); err != nil {
		return err
	}
	return p.kernel.as(o, step)
}

func (p *probe) nameless(dir string) (int, error) {
	if err := p.note("nameless", -1, dir); err != nil {
		return -1, err
	}
	fd, err := p.kernel.nameless(dir)
	return p.opened(-1, dir+"/nameless", fd, err)
}

func (p *probe) readNames(dir int, take func(string) bool) error {
	if err := p.note("readNames", dir, ""); err != nil {
		return err
	}
	return p.kernel.readNames(dir, take)
}

// open returns a Store over sys; host "h" unless o says otherwise.
func open(t testing.TB, o Options, sys system) *Store {
	t.Helper()
	if o.Host == "" {
		o.Host = "h"
	}
	s, err := newStore(o, sys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send delivers content to dests and returns the outcome of each copy.
func send(t testing.TB, s *Store, content string, dests ...Dest) []error {
	t.Helper()
	m := s.NewMessage()
	for _, d := range dests {
		m.Add(d, nil)
	}
	_, _ = m.Write([]byte(content)) // its error is every copy's
	return commit(t, m, len(dests))
}

// commit commits m and returns the outcomes, each of which must come once.
func commit(t testing.TB, m *Message, copies int) []error {
	t.Helper()
	var mu sync.Mutex
	outcomes, seen := make([]error, copies), make([]int, copies)
	m.Commit(context.Background(), func(i int, err error) {
		mu.Lock()
		defer mu.Unlock()
		outcomes[i] = err
		seen[i]++
	})
	for i, n := range seen {
		if n != 1 {
			t.Fatalf("copy %d has %d outcomes, want 1", i, n)
		}
	}
	return outcomes
}

// in returns the names in a directory; none where it is missing.
func in(t testing.TB, elem ...string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(elem...))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// mails returns the contents of the files in a Maildir's new/.
func mails(t testing.TB, d Dest) (contents []string) {
	t.Helper()
	dir := filepath.Join(d.String(), "new")
	for _, name := range in(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, string(b))
	}
	return contents
}

// lines is content of about n octets with CRLF line ends, and what an LF store makes of it.
func lines(n int) (wire, disk string) {
	count := n/64 + 1
	wire = strings.Repeat(strings.Repeat("x", 62)+"\r\n", count)
	disk = strings.Repeat(strings.Repeat("x", 62)+"\n", count)
	return wire, disk
}
