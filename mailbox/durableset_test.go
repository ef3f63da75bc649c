package mailbox

import (
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// syncedDirs delivers, and returns the directories above new/ that were synced for it.
func syncedDirs(t *testing.T, s *Store, sys *probe, to Dest) (dirs []string) {
	t.Helper()
	sys.take()
	if err := send(t, s, "x\r\n", to)[0]; err != nil {
		t.Fatal(err)
	}
	for _, c := range sys.take() {
		if info, err := os.Stat(c.path); c.name == "fsync" && err == nil && info.IsDir() && filepath.Base(c.path) != "new" {
			rel, err := filepath.Rel(to.Root, c.path)
			if err != nil {
				t.Fatal(err)
			}
			dirs = append(dirs, rel)
		}
	}
	return dirs
}

// What was made durable for one Maildir is not made durable again for the next; what was made
// since, or made anew under an old name, is.
func TestEntriesAreSyncedOnce(t *testing.T) {
	root := scratch(t)
	if id, err := probeID(root); err != nil || id.Birth == 0 {
		t.Skip("the file system tells no time of birth")
	}
	for _, durability := range []Durability{Group, Each} {
		sys := newProbe()
		s := open(t, Options{Create: true, Durability: durability}, sys)
		in := func(domain string, user int) Dest {
			return Dest{Root: root, Path: fmt.Sprintf("%v-%s/u%d/Maildir", durability, domain, user)}
		}
		d := fmt.Sprintf("%v-d", durability)
		for _, tt := range []struct {
			what string
			to   Dest
			want []string
		}{
			{"first", in("d", 0), []string{".", d, d + "/u0", d + "/u0/Maildir"}},
			{"again", in("d", 0), nil},
			{"second of the domain", in("d", 1), []string{d, d + "/u1", d + "/u1/Maildir"}},
		} {
			if got := syncedDirs(t, s, sys, tt.to); !slices.Equal(got, tt.want) {
				t.Errorf("%v, %s: synced %q, want %q", durability, tt.what, got, tt.want)
			}
		}
		if err := os.RemoveAll(filepath.Join(root, d)); err != nil {
			t.Fatal(err)
		}
		if got, want := syncedDirs(t, s, sys, in("d", 2)), []string{".", d, d + "/u2",
			d + "/u2/Maildir"}; !slices.Equal(got, want) {
			t.Errorf("%v, domain made anew: synced %q, want %q", durability, got, want)
		}
	}
}

// An entry whose sync failed is synced by the next delivery.
func TestFailedEntryIsNotSettled(t *testing.T) {
	root := scratch(t)
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	sys.before = func(_ int, c call) error {
		if c.name == "fsync" && c.path == root {
			return unix.EIO
		}
		return nil
	}
	if err := send(t, s, "x\r\n", Dest{Root: root, Path: "d/u0"})[0]; err == nil {
		t.Fatal("delivered, though the root could not be synced")
	}
	sys.before = nil
	if got := syncedDirs(t, s, sys, Dest{Root: root, Path: "d/u1"}); !slices.Contains(got, ".") {
		t.Errorf("synced %q and not the root", got)
	}
}

func probeID(path string) (kernel.FileID, error) {
	fd, err := unix.Open(path, kernel.AsDirectory|unix.O_CLOEXEC, 0)
	if err != nil {
		return kernel.FileID{}, err
	}
	defer unix.Close(fd)
	return kernel.Linux{}.Identify(fd)
}
