package mailbox

import (
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Another program removes a Maildir and makes it again, and the file system gives the new new/
// the inode number of the old. It is another directory all the same, whose parents are not known
// to be durable: they are synced before mail in it is reported (MDIR-05).
func TestInodeReused(t *testing.T) {
	book := newLedger(func(string, bool) bool { return false })
	s := open(t, Options{Create: true}, book)
	to := Dest{Root: t.TempDir(), Path: "example.org/u"}
	dir := filepath.Join(to.String(), "new")
	const tries = 100
	for range tries {
		if err := send(t, s, "first\r\n", to)[0]; err != nil {
			t.Fatal(err)
		}
		before := identify(t, dir)
		if err := os.RemoveAll(to.String()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"new", "cur", "tmp"} {
			if err := os.MkdirAll(filepath.Join(to.String(), name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		after := identify(t, dir)
		if after.Inode != before.Inode {
			continue
		}
		if after.Birth == 0 {
			t.Skip("this file system tells no time of birth")
		}
		book.mu.Lock()
		clear(book.names)
		book.names[to.String()], book.names[dir] = false, false
		book.mu.Unlock()
		stored := ""
		if deliver(s, "second\r\n", func(path string) { stored = path }, to); stored == "" {
			t.Fatal("not delivered")
		}
		if !book.survives(stored) {
			t.Errorf("%s would not survive a power cut: its new/ passes for one that is gone", stored)
		}
		return
	}
	t.Skipf("this file system has not reused an inode in %d tries", tries)
}

func identify(t *testing.T, path string) kernel.FileID {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id, err := kernel.Linux{}.Identify(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || id.Inode != st.Ino || id.Device != uint64(st.Dev) {
		t.Fatalf("identify: %+v; stat says %d, %d, %v", id, st.Dev, st.Ino, err)
	}
	return id
}
