package mount

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/guard/breaker"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

const table = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:25 / /srv/mail rw - nfs4 nas:/mail rw,hard
31 30 0:26 / /srv/mail/with\040space rw - nfs4 nas:/space rw,hard
32 22 0:27 / /home rw - autofs auto rw
33 32 0:28 / /home rw - nfs4 nas:/home rw
broken
`

func fileSystems(fs kernel.FS, table string, err error) *FileSystems {
	f := New(fs, nil)
	f.table = func() ([]byte, error) { return []byte(table), err }
	f.mounts = nil
	f.refresh()
	return f
}

// A path is on what is mounted nearest above it, whether that is above the mail root or below.
func TestOf(t *testing.T) {
	f := fileSystems(kernel.FS{System: kernel.Linux{}}, table, nil)
	for _, tt := range []struct{ root, path, want string }{
		{"/srv/mail", "example.org/alice", "/srv/mail"},
		{"/srv/mail/", "example.org/alice", "/srv/mail"},
		{"/srv/mail", "with space/alice/Maildir", "/srv/mail/with space"},
		{"/srv/mail", "with spaces/alice", "/srv/mail"},
		{"/srv/mailbox", "alice", "/"},
		{"/srv", "mail/alice", "/srv/mail"},
		{"/srv", "alice", "/"},
		{"/", "srv/mail/alice", "/srv/mail"},
		{"/home/alice", "Maildir", "/home"},
		{"/home/" + strings.Repeat("long/", 100), "Maildir", "/home"},
	} {
		is := f.Of(tt.root, tt.path)
		if got := is.State().Name; got != "file system "+tt.want || f.Of(tt.root, tt.path) != is {
			t.Errorf("%s, %s: %s, want %s", tt.root, tt.path, got, tt.want)
		}
	}
	if got := f.find("/home/alice", "Maildir").id; got != 33 {
		t.Errorf("what is mounted there last is %d", got)
	}
	if allocations := testing.AllocsPerRun(100, func() { f.Of("/srv/mail", "example.org/alice") }); allocations > 1 {
		t.Errorf("%v allocations", allocations)
	}
	var names []string
	for _, s := range f.States() {
		names = append(names, s.Name)
	}
	if !slices.IsSorted(names) || len(names) != 4 {
		t.Errorf("states of %q", names)
	}
}

// Without a table each root is on its own.
func TestWithoutTable(t *testing.T) {
	f := fileSystems(kernel.FS{System: kernel.Linux{}}, "", errors.New("no proc"))
	if a, b := f.Of("/srv/mail", "a"), f.Of("/home/b", "b"); a == b || f.Of("/srv/mail", "c") != a {
		t.Error("roots are not told apart")
	}
}

// Forgotten are those that are idle, never those in which something hangs.
func TestForgets(t *testing.T) {
	f := fileSystems(kernel.FS{System: kernel.Linux{}}, "", errors.New("no proc"))
	kept := f.Of("/kept", "a")
	var o breaker.Operation
	if err := kept.Copies.Begin(t.Context(), &o, nil); err != nil {
		t.Fatal(err)
	}
	defer o.End()
	for i := range 3 * known {
		f.Of("/x"+strconv.Itoa(i), "a")
	}
	if n := len(f.States()); n > known || f.Of("/kept", "a") != kept {
		t.Errorf("%d are kept in mind", n)
	}
}

// A hung is a kernel on which every question waits.
type hung struct {
	kernel.Linux
	over chan struct{}
}

func (h hung) Statfs(int) error { <-h.over; return nil }

// What is mounted in the place of one that hangs is another file system, which mail goes to at once.
func TestMountedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hung{over: make(chan struct{})}
		f := fileSystems(kernel.FS{System: h}, "5 1 0:1 / / rw - nfs4 nas:/ rw\n", nil)
		root := t.TempDir()
		before := f.Of(root, "a")
		if err := before.Copies.Begin(t.Context(), new(breaker.Operation), ignored{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := f.Of(root, "a").Err(); !errors.Is(err, breaker.ErrHangs) || f.Of(root, "a") != before {
			t.Errorf("%v", err)
		}
		synctest.Wait() // the table is not being read
		f.table = func() ([]byte, error) { return []byte("6 1 0:2 / / rw - nfs4 other:/ rw\n"), nil }
		time.Sleep(time.Minute)
		f.Of(root, "a")
		synctest.Wait() // the table is read
		if err := f.Of(root, "a").Err(); err != nil || f.Of(root, "a") == before {
			t.Errorf("with another in its place: %v", err)
		}
		f.Close()
		close(h.over)
	})
}

type ignored struct{}

func (ignored) Abandon(error) {}
