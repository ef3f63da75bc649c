package mailbox

import (
	"context"
	"errors"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
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
	kernel.Linux
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

func (p *probe) Now() time.Time {
	if p.clock != nil {
		return p.clock()
	}
	return time.Now()
}

func (p *probe) Openat(dir int, name string, flags int, mode uint32) (int, error) {
	if err := p.note("openat", dir, name); err != nil {
		return -1, err
	}
	fd, err := p.Linux.Openat(dir, name, flags, mode)
	return p.opened(dir, name, fd, err)
}

func (p *probe) OpenBeneath(dir int, path string, flags int) (int, error) {
	if err := p.note("openBeneath", dir, path); err != nil {
		return -1, err
	}
	fd, err := p.Linux.OpenBeneath(dir, path, flags)
	return p.opened(dir, path, fd, err)
}

func (p *probe) Mkdirat(dir int, name string, mode uint32) error {
	if err := p.note("mkdirat", dir, name); err != nil {
		return err
	}
	return p.Linux.Mkdirat(dir, name, mode)
}

func (p *probe) SetMode(fd int, mode uint32) error {
	if err := p.note("setMode", fd, ""); err != nil {
		return err
	}
	return p.Linux.SetMode(fd, mode)
}

func (p *probe) Identify(fd int) (kernel.FileID, error) {
	if err := p.note("identify", fd, ""); err != nil {
		return kernel.FileID{}, err
	}
	id, err := p.Linux.Identify(fd)
	if p.device != nil {
		p.mu.Lock()
		path := p.paths[fd]
		p.mu.Unlock()
		if dev, ok := p.device(path); ok {
			id.Device = dev
		}
	}
	return id, err
}

func (p *probe) Writev(fd int, bufs [][]byte) (int, error) {
	switch err := p.note("writev", fd, ""); err {
	case nil:
		return p.Linux.Writev(fd, bufs)
	case errShort:
		return p.Linux.Writev(fd, [][]byte{bufs[0][:(len(bufs[0])+1)/2]})
	default:
		return -1, err
	}
}

func (p *probe) Pread(fd int, b []byte, off int64) (int, error) {
	switch err := p.note("pread", fd, ""); err {
	case nil:
		return p.Linux.Pread(fd, b, off)
	case errShort:
		return p.Linux.Pread(fd, b[:(len(b)+1)/2], off)
	default:
		return -1, err
	}
}

func (p *probe) Fsync(fd int) error {
	if err := p.note("fsync", fd, ""); err != nil {
		return err
	}
	if err := p.Linux.Fsync(fd); err != nil || !p.synced {
		return err
	}
	return p.note("fsync done", fd, "")
}

func (p *probe) TakesChanges(fd int) error {
	if err := p.note("takesChanges", fd, ""); err != nil {
		return err
	}
	return p.Linux.TakesChanges(fd)
}

func (p *probe) Stat(dir int, name string) (kernel.FileState, error) {
	if err := p.note("stat", dir, name); err != nil {
		return kernel.FileState{}, err
	}
	return p.Linux.Stat(dir, name)
}

// close always closes, as the kernel does whatever it returns.
func (p *probe) Close(fd int) error {
	injected := p.note("close", fd, "")
	p.mu.Lock()
	if _, ok := p.paths[fd]; !ok {
		panic("a descriptor was closed twice")
	}
	delete(p.paths, fd)
	p.mu.Unlock()
	if err := p.Linux.Close(fd); err != nil {
		return err
	}
	return injected
}

func (p *probe) Rename(fromDir int, from string, toDir int, to string) error {
	if err := p.note("rename", toDir, to); err != nil {
		return err
	}
	return p.Linux.Rename(fromDir, from, toDir, to)
}

func (p *probe) Replace(fromDir int, from string, toDir int, to string) error {
	if err := p.note("replace", toDir, to); err != nil {
		return err
	}
	return p.Linux.Replace(fromDir, from, toDir, to)
}

func (p *probe) Link(fromDir int, from string, toDir int, to string) error {
	if err := p.note("link", toDir, to); err != nil {
		return err
	}
	return p.Linux.Link(fromDir, from, toDir, to)
}

func (p *probe) Unlink(dir int, name string) error {
	if err := p.note("unlink", dir, name); err != nil {
		return err
	}
	return p.Linux.Unlink(dir, name)
}

func (p *probe) As(o Owner, step func() error) error {
	if err := p.note("as", -1, o.String()); err != nil {
		return err
	}
	return p.Linux.As(o, step)
}

func (p *probe) Nameless(dir string) (int, error) {
	if err := p.note("nameless", -1, dir); err != nil {
		return -1, err
	}
	fd, err := p.Linux.Nameless(dir)
	return p.opened(-1, dir+"/nameless", fd, err)
}

func (p *probe) ReadNames(dir int, take func(string) bool) error {
	if err := p.note("readNames", dir, ""); err != nil {
		return err
	}
	return p.Linux.ReadNames(dir, take)
}

// open returns a Store over sys; host "h" unless o says otherwise.
func open(t testing.TB, o Options, sys kernel.System) *Store {
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

// An outgoing is a message whose copies are named before its content, and whose content is closed when it has ended.
type outgoing struct {
	*Content
	*Message
}

func begin(s *Store) *outgoing {
	c := s.NewContent()
	return &outgoing{c, c.Deliver()}
}

// Add names a copy.
func (m *outgoing) Add(to Dest, header []byte) int {
	m.Deliver(Copy{To: to, Header: header})
	return len(m.deliveries) - 1
}

func (m *outgoing) Commit(ctx context.Context, done func(copy int, err error)) {
	defer m.Close()
	m.Message.Commit(ctx, done)
}

func (m *outgoing) CommitAll(ctx context.Context) error {
	defer m.Close()
	return commitAll(ctx, m.Message)
}

func commitAll(ctx context.Context, m *Message) (err error) {
	m.CommitAll(ctx, func(outcome error) { err = outcome })
	return err
}

// send delivers content to dests and returns the outcome of each copy.
func send(t testing.TB, s *Store, content string, dests ...Dest) []error {
	t.Helper()
	m := begin(s)
	for _, d := range dests {
		m.Add(d, nil)
	}
	_, _ = m.Write([]byte(content)) // its error is every copy's
	return commit(t, m, len(dests))
}

// committed is what can be.
type committed interface {
	Commit(ctx context.Context, done func(copy int, err error))
}

// commit commits m and returns the outcomes, each of which must come once.
func commit(t testing.TB, m committed, copies int) []error {
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

// CommitAll delivers all copies or none: it makes the content of all durable before it publishes any, and after an
// error nothing of any stays. done is called once, as soon as the outcome is known: with nil, or the error of a copy
// that failed. It returns when CommitSets does.
func (m *Message) CommitAll(ctx context.Context, done func(err error)) {
	all := make([]int, len(m.deliveries))
	for i := range all {
		all[i] = i
	}
	var mu sync.Mutex
	var failed error
	left := len(all)
	m.CommitSets(ctx, Sets{Of: [][]int{all}}, func(_ int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if failed == nil || errors.Is(failed, ErrTogether) && err != nil {
			failed = err
		}
		if left--; left == 0 {
			done(failed)
		}
	})
	if len(all) == 0 {
		done(nil)
	}
}
