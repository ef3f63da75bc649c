package mailbox

import (
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDestRefused(t *testing.T) {
	root := t.TempDir()
	s := open(t, Options{Create: true}, kernel.Linux{})
	for _, path := range []string{
		"", ".", "..", "/", "/etc", "u/", "u//v", "../u", "u/../../v", "u/.", "u/..",
		"a\x00b", strings.Repeat("x", 256), strings.Repeat("a/", pathDepth) + "a",
	} {
		if err := send(t, s, "x\r\n", Dest{Root: filepath.Join(root, "store"), Path: path})[0]; err == nil {
			t.Errorf("delivered to %q", path)
		}
	}
	if err := send(t, s, "x\r\n", Dest{Root: "", Path: "u"})[0]; err == nil {
		t.Error("delivered below no root")
	}
	if names := in(t, root); names != nil {
		t.Errorf("made %q", names)
	}
}

func TestMissing(t *testing.T) {
	creating, strict := open(t, Options{Create: true}, kernel.Linux{}), open(t, Options{}, kernel.Linux{})
	t.Run("MDIR-17 no root", func(t *testing.T) {
		root := filepath.Join(t.TempDir(), "mail")
		if err := send(t, creating, "x\r\n", Dest{Root: root, Path: "u"})[0]; !errors.Is(err, ErrNoRoot) {
			t.Errorf("%v, want ErrNoRoot", err)
		}
		if _, err := os.Lstat(root); err == nil {
			t.Error("the root was made")
		}
	})
	t.Run("MDIR-17 no Maildir", func(t *testing.T) {
		to := Dest{Root: t.TempDir(), Path: "example.org/u"}
		if err := send(t, strict, "x\r\n", to)[0]; !errors.Is(err, ErrNoMailbox) {
			t.Errorf("%v, want ErrNoMailbox", err)
		}
		if names := in(t, to.Root); names != nil {
			t.Errorf("made %q", names)
		}
	})
	t.Run("MDIR-17 empty directory", func(t *testing.T) {
		to := Dest{Root: t.TempDir(), Path: "u"}
		mkdir(t, to.String())
		if err := send(t, strict, "x\r\n", to)[0]; !errors.Is(err, ErrNoMailbox) {
			t.Errorf("%v, want ErrNoMailbox", err)
		}
		if names := in(t, to.String()); names != nil {
			t.Errorf("made %q", names)
		}
	})
	t.Run("MDIR-17 incomplete Maildir", func(t *testing.T) {
		for _, there := range []string{"tmp", "new", "cur"} {
			to := Dest{Root: t.TempDir(), Path: "u"}
			mkdir(t, to.String(), there)
			if err := send(t, strict, "x\r\n", to)[0]; err != nil {
				t.Errorf("with %s/ only: %v", there, err)
			}
			if names := in(t, to.String()); !slices.Equal(names, []string{"cur", "new", "tmp"}) {
				t.Errorf("with %s/ only: %q", there, names)
			}
		}
	})
}

// MDIR-15: 0700 and 0600 whatever the umask says.
func TestModes(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o177} {
		to := Dest{Root: t.TempDir(), Path: "example.org/u"}
		old := unix.Umask(umask)
		outcome := send(t, open(t, Options{Create: true}, kernel.Linux{}), "x\r\n", to)[0]
		unix.Umask(old)
		if outcome != nil {
			t.Errorf("umask %o: %v", umask, outcome)
			continue
		}
		err := filepath.Walk(filepath.Join(to.Root, "example.org"), func(path string, info os.FileInfo, err error) error {
			want := os.FileMode(0o600)
			if info.IsDir() {
				want = 0o700
			}
			if got := info.Mode().Perm(); got != want {
				t.Errorf("umask %o: %s has mode %o, want %o", umask, strings.TrimPrefix(path, to.Root), got, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// Something else where a directory of the Maildir should be.
func TestNotMaildir(t *testing.T) {
	inWay := map[string]func(path, elsewhere string) error{
		"symbolic link": func(path, elsewhere string) error { return os.Symlink(elsewhere, path) },
		"dangling link": func(path, elsewhere string) error { return os.Symlink(elsewhere+"/x", path) },
		"file":          func(path, _ string) error { return os.WriteFile(path, nil, 0o600) },
		"pipe":          func(path, _ string) error { return unix.Mkfifo(path, 0o600) },
	}
	for what, put := range inWay {
		for _, where := range []string{"d", "d/u", "d/u/tmp", "d/u/new", "d/u/cur"} {
			for _, missing := range []string{"", "openBeneath"} {
				t.Run(fmt.Sprintf("MDIR-15 %s at %s without %q", what, where, missing), func(t *testing.T) {
					base := t.TempDir()
					to := Dest{Root: filepath.Join(base, "mail"), Path: "d/u"}
					elsewhere := filepath.Join(base, "elsewhere")
					for _, dir := range []string{"u/tmp", "u/new", "u/cur", "tmp", "new", "cur"} {
						mkdir(t, elsewhere, dir)
					}
					mkdir(t, filepath.Dir(filepath.Join(to.Root, where)))
					if err := put(filepath.Join(to.Root, where), elsewhere); err != nil {
						t.Fatal(err)
					}
					sys := newProbe()
					sys.before = func(_ int, c call) error {
						if c.name == missing {
							return unix.ENOSYS
						}
						return nil
					}
					if err := send(t, open(t, Options{Create: true}, sys), "x\r\n", to)[0]; !errors.Is(err, ErrNotMaildir) {
						t.Errorf("%v, want ErrNotMaildir", err)
					}
					if open := sys.leaks(); open != nil {
						t.Errorf("left open: %q", open)
					}
					nothingBelow(t, elsewhere)
				})
			}
		}
	}
}

// A link that stays below the root is refused too: it could lead to another's mail.
func TestLinkBelowRoot(t *testing.T) {
	root := scratch(t)
	s := open(t, Options{Create: true}, kernel.Linux{})
	if err := send(t, s, "x\r\n", Dest{Root: root, Path: "d/theirs"})[0]; err != nil {
		t.Fatal(err)
	}
	mkdir(t, root, "d/mine/cur")
	for link, target := range map[string]string{"d/u": "theirs", "d/mine/tmp": "../theirs/tmp",
		"d/mine/new": "../theirs/new"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"d/u", "d/mine"} {
		if err := send(t, s, "x\r\n", Dest{Root: root, Path: path})[0]; !errors.Is(err, ErrNotMaildir) {
			t.Errorf("MDIR-15 %s: %v, want ErrNotMaildir", path, err)
		}
	}
	if n := len(in(t, root, "d/theirs/new")); n != 1 {
		t.Errorf("MDIR-15: the other Maildir has %d messages, want 1", n)
	}
}

// The Maildir is exchanged ahead of any call of a delivery: the mail is there, or the
// delivery failed, and nothing comes to lie elsewhere.
func TestExchanged(t *testing.T) {
	exchange := map[string]func(to Dest, elsewhere string) error{
		"symbolic link": func(to Dest, elsewhere string) error { return os.Symlink(elsewhere, to.String()) },
		"file":          func(to Dest, _ string) error { return os.WriteFile(to.String(), nil, 0o600) },
		"removed":       func(Dest, string) error { return nil },
	}
	for what, put := range exchange {
		t.Run("MDIR-15 "+what, func(t *testing.T) {
			for n, fired := 0, true; fired; n++ {
				base := scratch(t)
				to := Dest{Root: base, Path: "u"}
				elsewhere, aside := filepath.Join(base, "elsewhere"), filepath.Join(base, "aside")
				for _, dir := range []string{"tmp", "new", "cur"} {
					mkdir(t, elsewhere, dir)
				}
				sys := newProbe()
				s := open(t, Options{Create: true}, sys)
				if err := send(t, s, "first\r\n", to)[0]; err != nil {
					t.Fatal(err)
				}
				sys.take()
				fired = false
				sys.before = func(i int, _ call) error {
					if i != n {
						return nil
					}
					fired = true
					if what == "removed" {
						return os.RemoveAll(to.String())
					}
					return errors.Join(os.Rename(to.String(), aside), put(to, elsewhere))
				}
				err := send(t, s, "second\r\n", to)[0]
				nothingBelow(t, elsewhere)
				if open := sys.leaks(); open != nil {
					t.Errorf("call %d: left open: %q", n, open)
				}
				stored := len(in(t, aside, "new")) == 2 || !fired
				if err == nil && !stored && what != "removed" {
					t.Errorf("call %d: reported as stored, the Maildir has %q", n, in(t, aside, "new"))
				}
				if left := in(t, aside, "tmp"); left != nil {
					t.Errorf("call %d: tmp/ has %q", n, left)
				}
			}
		})
	}
}

// However many first deliveries meet at a new Maildir, none is reported before every
// directory above new/ has been synced, whatever program made it.
func TestFirstDeliveries(t *testing.T) {
	for _, durability := range []Durability{Group, Each} {
		t.Run("MDIR-05 "+durability.String(), func(t *testing.T) {
			for range 20 {
				sys := newProbe()
				s := open(t, Options{Create: true, Durability: durability}, sys)
				root := scratch(t)
				// synced reports whether a sync of the directory began after the directory
				// name in it was made, and has ended.
				synced := func(dir, name string) bool {
					sys.mu.Lock()
					defer sys.mu.Unlock()
					waiting := []call{{"mkdirat", filepath.Join(dir, name)}, {"fsync", dir}, {"fsync done", dir}}
					for _, c := range sys.calls {
						if len(waiting) > 0 && c == waiting[0] {
							waiting = waiting[1:]
						}
					}
					return len(waiting) == 0
				}
				sys.synced = true
				var wg sync.WaitGroup
				for i := range 8 {
					to := Dest{Root: root, Path: fmt.Sprintf("d/u%d", i%2)}
					wg.Go(func() {
						m := begin(s)
						m.Add(to, nil)
						_, _ = m.Write([]byte("x\r\n"))
						if err := commit(t, m, 1)[0]; err != nil {
							t.Error(err)
						}
						if !synced(root, "d") || !synced(root+"/d", filepath.Base(to.Path)) || !synced(to.String(), "new") {
							t.Errorf("stored in %s, not all above was synced", to)
						}
					})
				}
				wg.Wait()
			}
		})
	}
}

// A Maildir that another process made, and perhaps did not live to sync, is synced by the
// first delivery of this one, and then no more.
func TestSettled(t *testing.T) {
	root := scratch(t)
	for range 2 { // processes
		sys := newProbe()
		s := open(t, Options{Create: true}, sys)
		for i, want := range []int{2 + 3, 2, 2} {
			if err := send(t, s, "x\r\n", Dest{Root: root, Path: "d/u"})[0]; err != nil {
				t.Fatal(err)
			}
			syncs := 0
			for _, c := range sys.take() {
				if c.name == "fsync" {
					syncs++
				}
			}
			if syncs != want {
				t.Errorf("delivery %d: %d syncs, want %d", i, syncs, want)
			}
		}
	}
	var known durableSet[kernel.FileID]
	for i := range durableSetSize + 10 {
		known.add(kernel.FileID{Inode: uint64(i)})
	}
	if len(known.ids) != durableSetSize || !known.has(kernel.FileID{Inode: durableSetSize + 9}) {
		t.Errorf("remembers %d Maildirs, want %d and the last", len(known.ids), durableSetSize)
	}
}

func mkdir(t *testing.T, elem ...string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(elem...), 0o700); err != nil {
		t.Fatal(err)
	}
}

func nothingBelow(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			t.Errorf("%s came to lie elsewhere", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
