package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Content of every size around the bounds of memory, in pieces that do not fit them.
func TestSizes(t *testing.T) {
	root := scratch(t)
	s := open(t, Options{Create: true}, kernel.Linux{})
	for i, size := range []int{
		0, 1, smallBuffer - 3, smallBuffer - 2, smallBuffer, smallBuffer + 1,
		largeBuffer - 3, largeBuffer - 2, largeBuffer, largeBuffer + 1, 5 * largeBuffer,
	} {
		for j, piece := range []int{997, 32 << 10, 1 << 20} {
			content := bytes.Repeat([]byte("line\rof \n text\r\n"), size/16+1)[:size]
			a, b := Dest{Root: root, Path: fmt.Sprintf("a%d.%d", i, j)}, Dest{Root: root, Path: fmt.Sprintf("b%d.%d", i, j)}
			m := begin(s)
			m.Add(a, []byte("To: a\r\n"))
			m.Add(b, []byte("To: somebody longer\r\n"))
			for rest := content; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
				if _, err := m.Write(rest[:min(piece, len(rest))]); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(commit(t, m, 2)...); err != nil {
				t.Fatal(err)
			}
			var whole lineEnder
			want := string(whole.finish(whole.put(nil, content)))
			if got := mails(t, a); len(got) != 1 || got[0] != "To: a\n"+want {
				t.Errorf("%d octets by %d: first copy differs", size, piece)
			}
			if got := mails(t, b); len(got) != 1 || got[0] != "To: somebody longer\n"+want {
				t.Errorf("%d octets by %d: second copy differs", size, piece)
			}
			for k, d := range []Dest{a, b} {
				if size := fmt.Sprintf(",S=%d,", len(mails(t, d)[0])); !strings.Contains(m.Name(k), size) {
					t.Errorf("MDIR-08: %q does not contain %q", m.Name(k), size)
				}
			}
		}
	}
}

// 20 MB go through a bounded piece of memory.
func TestBoundedMemory(t *testing.T) {
	const size, piece = 20 << 20, 32 << 10
	root := t.TempDir()
	s := open(t, Options{Create: true}, kernel.Linux{})
	block, _ := lines(piece)
	p := []byte(block)[:piece]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m := begin(s)
	m.Add(Dest{Root: root, Path: "u0"}, nil)
	m.Add(Dest{Root: root, Path: "u1"}, nil)
	for range size / piece {
		if _, err := m.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(commit(t, m, 2)...)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8*largeBuffer {
		t.Errorf("allocated %d octets for a message of %d", got, size)
	}
	if m.Size() != size {
		t.Errorf("Size %d, want %d", m.Size(), size)
	}
}

// The copy that the content streams into fails at its n-th write: it alone fails, and the
// next takes over with the content so far.
func TestFailover(t *testing.T) {
	wire, disk := lines(6 * largeBuffer)
	for n := range 6 {
		for failing := range 3 { // this many copies fail one after the other
			t.Run(fmt.Sprintf("write %d of %d copies", n, failing), func(t *testing.T) {
				root := scratch(t)
				sys := newProbe()
				s := open(t, Options{Create: true}, sys)
				dests := []Dest{{Root: root, Path: "u0"}, {Root: root, Path: "u1"}, {Root: root, Path: "u2"}}
				writes := make(map[string]int)
				sys.before = func(_ int, c call) error {
					if c.name != "writev" {
						return nil
					}
					for i := range failing {
						if user := fmt.Sprintf("u%d", i); strings.Contains(c.path, user+"/tmp/") {
							if writes[user]++; writes[user] > n {
								return unix.EDQUOT
							}
						}
					}
					return nil
				}
				m := begin(s)
				for i, d := range dests {
					m.Add(d, fmt.Appendf(nil, "Delivered-To: user%0*d\r\n", i+1, i))
				}
				if _, err := m.Write([]byte(wire)); err != nil {
					t.Fatal(err)
				}
				for i, err := range commit(t, m, 3) {
					if i < failing {
						if !errors.Is(err, unix.EDQUOT) {
							t.Errorf("copy %d: %v, want EDQUOT", i, err)
						}
						if left := append(in(t, dests[i].String(), "new"), in(t, dests[i].String(), "tmp")...); left != nil {
							t.Errorf("copy %d left %q", i, left)
						}
						continue
					}
					want := fmt.Sprintf("Delivered-To: user%0*d\n%s", i+1, i, disk)
					if got := mails(t, dests[i]); err != nil || len(got) != 1 || got[0] != want {
						t.Errorf("copy %d: %v, %d files", i, err, len(got))
					}
				}
				if open := sys.leaks(); open != nil {
					t.Errorf("left open: %q", open)
				}
			})
		}
	}
}

// When no copy can take the content, Write says so at once and every copy has its error.
func TestNobodyLeft(t *testing.T) {
	root := scratch(t)
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	sys.before = func(_ int, c call) error {
		if c.name == "writev" {
			return unix.ENOSPC
		}
		return nil
	}
	wire, _ := lines(2 * largeBuffer)
	m := begin(s)
	m.Add(Dest{Root: root, Path: "u0"}, nil)
	m.Add(Dest{Root: filepath.Join(root, "lost"), Path: "u1"}, nil)
	if _, err := m.Write([]byte(wire)); err == nil {
		t.Error("Write found somebody")
	}
	if n, err := m.Write([]byte(wire)); err == nil || n != 0 {
		t.Errorf("Write after an error: %d, %v", n, err)
	}
	outcomes := commit(t, m, 2)
	if !errors.Is(outcomes[0], unix.ENOSPC) || !errors.Is(outcomes[1], ErrNoRoot) {
		t.Errorf("outcomes %v", outcomes)
	}
	if open := sys.leaks(); open != nil {
		t.Errorf("left open: %q", open)
	}

	alone := begin(s)
	if _, err := alone.Write([]byte(wire)); err == nil {
		t.Error("content without copies was taken")
	}
	alone.Close()
}

// lossyDisk reads zeros back, as a disk does whose write-back failed behind our back.
type lossyDisk struct{ *probe }

func (d lossyDisk) Pread(fd int, p []byte, off int64) (int, error) {
	n, err := d.probe.Pread(fd, p, off)
	clear(p[:max(n, 0)])
	return n, err
}

// A copy made from content that did not come back as it was written is no copy.
func TestReadBackChecked(t *testing.T) {
	root := scratch(t)
	sys := newProbe()
	s := open(t, Options{Create: true}, lossyDisk{sys})
	wire, _ := lines(3 * largeBuffer)
	outcomes := send(t, s, wire, Dest{Root: root, Path: "u0"}, Dest{Root: root, Path: "u1"})
	if outcomes[0] != nil || !errors.Is(outcomes[1], errChanged) {
		t.Errorf("outcomes %v", outcomes)
	}
	if got := mails(t, Dest{Root: root, Path: "u1"}); got != nil {
		t.Error("zeros were delivered")
	}
}

func TestAbort(t *testing.T) {
	wire, _ := lines(3 * largeBuffer)
	for _, content := range []string{"", "short\r\n", wire} {
		root := scratch(t)
		sys := newProbe()
		s := open(t, Options{Create: true}, sys)
		m := begin(s)
		m.Add(Dest{Root: root, Path: "u0"}, nil)
		m.Add(Dest{Root: root, Path: "u1"}, nil)
		if _, err := m.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		m.Close()
		m.Close()
		for _, err := range commit(t, m, 2) {
			if err == nil {
				t.Error("committed after Abort")
			}
		}
		if err := m.CommitAll(context.Background()); err == nil {
			t.Error("committed after Abort")
		}
		for _, u := range []string{"u0", "u1"} {
			if left := append(in(t, root, u, "new"), in(t, root, u, "tmp")...); left != nil {
				t.Errorf("left %q", left)
			}
		}
		if open := sys.leaks(); open != nil {
			t.Errorf("left open: %q", open)
		}
	}

	root := scratch(t)
	m := begin(open(t, Options{Create: true}, kernel.Linux{}))
	m.Add(Dest{Root: root, Path: "u0"}, nil)
	if err := commit(t, m, 1)[0]; err != nil {
		t.Fatal(err)
	}
	m.Close()
	if len(in(t, root, "u0", "new")) != 1 || m.Name(0) == "" {
		t.Error("Abort took back what was committed")
	}
}
