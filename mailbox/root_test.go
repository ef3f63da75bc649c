package mailbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// TestMakesRoot: where a mail root may be made it is, durable from the fixed part down, also by a process that finds it
// made by one that was killed before it synced; and Reachable says the same beforehand.
func TestMakesRoot(t *testing.T) {
	for _, made := range []string{"", "x.example", "x.example/u"} {
		t.Run("LMTP-07 "+made+" was made before", func(t *testing.T) {
			fixed := scratch(t)
			book := newLedger(nothingForgotten)
			if made != "" {
				mkdir(t, fixed, made)
				book.names[filepath.Join(fixed, "x.example")], book.names[filepath.Join(fixed, made)] = false, false
			}
			s := open(t, Options{Create: true, Durability: Each}, book)
			to := Dest{Root: fixed + "/x.example/u", Fixed: fixed, Path: "Maildir"}
			if err := s.Reachable(t.Context(), to); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(fixed, "x.example/u")); (err == nil) != (made == "x.example/u") {
				t.Errorf("asking has made something, or nothing was there: %v", err)
			}
			err := deliver(s, "x\r\n", func(path string) {
				if !book.survives(path) {
					t.Errorf("%s would be lost in a power cut", path)
				}
			}, to)
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(to.Root)
			if err != nil || made != "x.example/u" && info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

// TestMakesNoRoot: nothing is made above the fixed part, nor without Create, nor in the place of something else.
func TestMakesNoRoot(t *testing.T) {
	creating, strict := open(t, Options{Create: true}, kernel.Linux{}), open(t, Options{}, kernel.Linux{})
	dir := t.TempDir()
	mkdir(t, dir, "home")
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "home/file"), nil, 0o600), os.Symlink("nowhere", filepath.Join(dir, "home/link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		store *Store
		to    Dest
	}{
		"lost mount": {creating, Dest{Root: dir + "/lost/u", Fixed: dir + "/lost", Path: "Maildir"}},
		"no create":  {strict, Dest{Root: dir + "/home/u", Fixed: dir + "/home", Path: "Maildir"}},
		"a file":     {creating, Dest{Root: dir + "/home/file", Fixed: dir + "/home", Path: "Maildir"}},
		"a link":     {creating, Dest{Root: dir + "/home/link", Fixed: dir + "/home", Path: "Maildir"}},
	} {
		if err := send(t, tt.store, "x\r\n", tt.to)[0]; !errors.Is(err, ErrNoRoot) {
			t.Errorf("%s: %v", name, err)
		}
		if err := tt.store.Reachable(t.Context(), tt.to); !errors.Is(err, ErrNoRoot) {
			t.Errorf("%s: reachable: %v", name, err)
		}
	}
	for _, name := range []string{"lost", "home/u", "home/nowhere"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
	if err := (Dest{Root: "/srv/home/u", Fixed: "/srv/ho", Path: "Maildir"}).Check(); err == nil {
		t.Error("a root that is not below the fixed part")
	}
}

// TestOwnerMakesRoot: a home is made as its owner, and so only where that owner may.
func TestOwnerMakesRoot(t *testing.T) {
	alice, _ := owners(t)
	mine, theirs := filepath.Join(alice.Root, "mine"), filepath.Join(alice.Root, "theirs")
	mkdir(t, mine)
	mkdir(t, theirs)
	if err := errors.Join(give(mine, alice.Owner), os.Chmod(theirs, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := open(t, Options{Create: true}, kernel.Linux{})
	to := Dest{Root: mine + "/alice", Fixed: mine, Path: "Maildir", Owner: alice.Owner}
	if err := errors.Join(s.Reachable(t.Context(), to), send(t, s, "x\r\n", to)[0]); err != nil {
		t.Error(err)
	}
	if is := tree(t, mine); len(is) == 0 {
		t.Error("nothing was made")
	}
	to.Root, to.Fixed = theirs+"/alice", theirs
	if err := s.Reachable(t.Context(), to); !errors.Is(err, ErrNoRoot) {
		t.Errorf("reachable: %v", err)
	}
	if err := send(t, s, "x\r\n", to)[0]; !errors.Is(err, ErrNoRoot) {
		t.Errorf("made in another's directory: %v", err)
	}
}
