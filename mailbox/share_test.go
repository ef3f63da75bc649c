package mailbox

import (
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inodes returns the inode numbers of the files in the new/ of dests, each once.
func inodes(t *testing.T, dests []Dest) (numbers []uint64) {
	t.Helper()
	for _, d := range dests {
		for _, name := range in(t, d.String(), "new") {
			var st unix.Stat_t
			if err := unix.Stat(filepath.Join(d.String(), "new", name), &st); err != nil {
				t.Fatal(err)
			}
			numbers = append(numbers, st.Ino)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// Copies are one file where they are the same, and only there (MDIR-16).
func TestSingleCopy(t *testing.T) {
	const copies = 5
	failing := func(name string, err error) func(*probe) {
		return func(p *probe) {
			p.before = func(_ int, c call) error {
				if c.name == name {
					return err
				}
				return nil
			}
		}
	}
	for _, tt := range []struct {
		name   string
		off    bool
		header func(i int) string
		sys    func(*probe)
		files  int
	}{
		{name: "same header", files: 1},
		{name: "switched off", off: true, files: copies},
		{name: "two headers", header: func(i int) string { return fmt.Sprintf("X: %d\r\n", i%2) }, files: 2},
		{name: "too many links", sys: failing("link", unix.EMLINK), files: copies},
		{name: "another file system", sys: failing("link", unix.EXDEV), files: copies},
		{name: "links not allowed", sys: failing("link", unix.EPERM), files: copies},
		{name: "a reader has moved it", sys: failing("link", unix.ENOENT), files: copies},
		{name: "two devices", files: 2, sys: func(p *probe) {
			p.device = func(path string) (uint64, bool) { return 1, filepath.Base(filepath.Dir(path)) == "u0" }
		}},
	} {
		for _, durability := range durabilities {
			for _, together := range []bool{false, true} {
				t.Run(fmt.Sprintf("MDIR-16 %s %v %v", tt.name, durability, together), func(t *testing.T) {
					root := scratch(t)
					sys := newProbe()
					if tt.sys != nil {
						tt.sys(sys)
					}
					s := open(t, Options{Create: true, SingleCopy: !tt.off, Durability: durability}, sys)
					m := begin(s)
					var dests []Dest
					for i := range copies {
						dests = append(dests, Dest{Root: root, Path: fmt.Sprintf("d/u%d", i)})
						header := "X: x\r\n"
						if tt.header != nil {
							header = tt.header(i)
						}
						m.Add(dests[i], []byte(header))
					}
					m.Write([]byte("\r\nhello\r\n"))
					if together {
						if err := m.CommitAll(t.Context()); err != nil {
							t.Fatal(err)
						}
					} else {
						for i, err := range commit(t, m, copies) {
							if err != nil {
								t.Errorf("copy %d: %v", i, err)
							}
						}
					}
					for i, d := range dests {
						if got := mails(t, d); len(got) != 1 || len(got[0]) != len("X: x\n\nhello\n") {
							t.Errorf("copy %d: %q", i, got)
						}
						if got := in(t, d.String(), "new"); len(got) != 1 || got[0] != m.Name(i) {
							t.Errorf("copy %d is called %q, not %q", i, got, m.Name(i))
						}
						if left := in(t, d.String(), "tmp"); left != nil {
							t.Errorf("tmp/ has %q", left)
						}
					}
					if got := inodes(t, dests); len(got) != tt.files {
						t.Errorf("%d files, want %d", len(got), tt.files)
					}
					if open := sys.leaks(); open != nil {
						t.Errorf("left open: %q", open)
					}
				})
			}
		}
	}
}

// Copies of two owners are never one file, whatever they have in common.
func TestSingleCopyOwners(t *testing.T) {
	alice, bob := owners(t)
	second := alice
	second.Path += "2"
	s := open(t, Options{Create: true, SingleCopy: true}, kernel.Linux{})
	dests := []Dest{alice, bob, second}
	for i, err := range send(t, s, "hello\r\n", dests...) {
		if err != nil {
			t.Errorf("copy %d: %v", i, err)
		}
	}
	if got := inodes(t, dests); len(got) != 2 {
		t.Errorf("%d files, want one for each owner", len(got))
	}
	for _, d := range dests {
		for path, is := range tree(t, filepath.Join(d.String(), "new")) {
			want := fmt.Sprintf("-rw------- %s 2 links", d.Owner)
			if d == bob {
				want = fmt.Sprintf("-rw------- %s 1 links", d.Owner)
			}
			if path != "" && !strings.HasPrefix(is, want) {
				t.Errorf("%s%s is %s, want %s", d, path, is, want)
			}
		}
	}
}

// One who cannot write the file fails alone, and one who removes it takes it from nobody.
func TestSingleCopyWriterFails(t *testing.T) {
	for _, size := range []int{1000, 2*largeBuffer + 1000} {
		for _, failing := range []string{"fsync", "writev", "close"} {
			t.Run(fmt.Sprint(failing, " ", size), func(t *testing.T) {
				root := scratch(t)
				var dests []Dest
				for i := range 8 {
					dests = append(dests, Dest{Root: root, Path: fmt.Sprintf("d/u%d", i)})
				}
				sys := newProbe()
				s := open(t, Options{Create: true, SingleCopy: true}, sys)
				send(t, s, "", dests...)
				first := make(chan struct{}, 1)
				first <- struct{}{}
				sys.before = func(_ int, c call) error {
					if c.name != failing || filepath.Ext(c.path) != ".h" {
						return nil
					}
					select {
					case <-first:
						return unix.EIO
					default:
						return nil
					}
				}
				wire, disk := lines(size)
				failed := 0
				for i, err := range send(t, s, wire, dests...) {
					got := mails(t, dests[i])
					switch {
					case err != nil:
						failed++
					case !slices.Contains(got, disk):
						t.Errorf("copy %d is reported as stored, and is not", i)
					}
				}
				if failed != 1 {
					t.Errorf("%d copies failed, want that of the writer", failed)
				}
			})
		}
	}
}
