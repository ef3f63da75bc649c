package mailbox

import (
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/quota"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Whatever an owner has put in the place of quota.FileName, nothing of others is read or written, nobody
// waits, and mail goes on by counting (MDIR-13, MDIR-15, S11, S12).
func TestOwnerPlantsMaildirsize(t *testing.T) {
	const full = "1000000S\n999999 9\n"
	link := func(to func(bob Dest) string) func(string, Dest, Dest) error {
		return func(path string, _, bob Dest) error { return os.Symlink(to(bob), path) }
	}
	ofBob := func(bob Dest) string { return filepath.Join(bob.String(), quota.FileName) }
	device := func(path string, alice, _ Dest) error {
		zeros := int(unix.Mkdev(1, 5)) // without end
		return errors.Join(unix.Mknod(path, unix.S_IFCHR|0o600, zeros), give(path, alice.Owner))
	}
	fifo := func(path string, alice, _ Dest) error {
		return errors.Join(unix.Mkfifo(path, 0o600), give(path, alice.Owner))
	}
	socket := func(path string, alice, _ Dest) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return errors.Join(err, unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Close(fd), give(path, alice.Owner))
	}
	directory := func(path string, alice, _ Dest) error {
		return errors.Join(os.MkdirAll(path+"/x", 0o700), give(path, alice.Owner))
	}
	sparse := func(path string, alice, _ Dest) error {
		return errors.Join(os.WriteFile(path, []byte(full), 0o600), os.Truncate(path, 1<<30), give(path, alice.Owner))
	}
	says := func(content string) func(string, Dest, Dest) error {
		return func(path string, alice, _ Dest) error {
			return errors.Join(os.WriteFile(path, []byte(content), 0o600), give(path, alice.Owner))
		}
	}
	mode := func(mode os.FileMode) func(string, Dest, Dest) error {
		return func(path string, alice, bob Dest) error {
			return errors.Join(says("1000000S\n5 1\n0 0\n")(path, alice, bob), os.Chmod(path, mode))
		}
	}
	for _, c := range []struct {
		name   string
		plant  func(path string, alice, bob Dest) error
		stays  bool // and mail is counted each time
		refuse bool // for a while
	}{
		{name: "link to another's", plant: link(ofBob)},
		{name: "link to where another has none",
			plant: link(func(bob Dest) string { return filepath.Join(bob.String(), "planted") })},
		{name: "link to a file of root's", plant: link(func(Dest) string { return "/etc/shadow" })},
		{name: "link to itself", plant: link(func(Dest) string { return quota.FileName })},
		{name: "link to a device", plant: link(func(Dest) string { return "/dev/zero" })},
		{name: "hard link to another's", plant: func(path string, _, bob Dest) error { return os.Link(ofBob(bob), path) }},
		{name: "FIFO", plant: fifo},
		{name: "device", plant: device},
		{name: "socket", plant: socket},
		{name: "directory", plant: directory, stays: true},
		{name: "1 GiB of holes", plant: sparse},
		{name: "one that cannot be read", plant: mode(0)},
		{name: "one that cannot be written", plant: mode(0o400)},
		{name: "binary junk", plant: says(strings.Repeat("\xff\x00S,\n-\x80", 700))},
		{name: "negative numbers", plant: says("1000000S\n-999999 -9\n")},
		{name: "negative quota", plant: says("-1S\n0 0\n")},
		{name: "numbers beyond all", plant: says("1000000S\n99999999999999999999999 1\n")},
		{name: "a sum beyond all", plant: says(fmt.Sprintf("1000000S\n%[1]d %[1]d\n%[1]d %[1]d\n", math.MaxInt64))},
		{name: "a sum below all", plant: says(fmt.Sprintf("1000000S\n%[1]d %[1]d\n%[1]d %[1]d\n", math.MinInt64))},
		{name: "full", plant: says(full), refuse: true},
	} {
		t.Run("MDIR-15 "+c.name, func(t *testing.T) {
			alice, bob := owners(t)
			alice.Quota, bob.Quota = Quota{Bytes: 1_000_000}, Quota{Bytes: 1_000_000}
			s := open(t, Options{Create: true}, kernel.Linux{})
			for i, err := range send(t, s, "first\r\n", alice, bob) {
				if err != nil {
					t.Fatal(i, err)
				}
			}
			before, theirs, read := tree(t, filepath.Dir(bob.String())), content(t, ofBob(bob)), lastRead(t, ofBob(bob))
			path := filepath.Join(alice.String(), quota.FileName)
			if err := errors.Join(os.Remove(path), c.plant(path, alice, bob)); err != nil {
				t.Fatal(err)
			}
			if c.refuse {
				if err := send(t, s, "second\r\n", alice)[0]; !errors.Is(err, ErrOverQuota) {
					t.Errorf("a fresh count says that it is full: %v", err)
				}
				old := time.Now().Add(-tallyFresh - time.Second)
				if err := os.Chtimes(path, old, old); err != nil {
					t.Fatal(err)
				}
			}
			for _, text := range []string{"second\r\n", "third\r\n"} {
				if err := s.Room(t.Context(), Copy{To: alice}, 10); err != nil {
					t.Errorf("room: %v", err)
				}
				if err := send(t, s, text, alice)[0]; err != nil {
					t.Error(err)
				}
			}
			if got, err := s.Usage(t.Context(), alice); err != nil || got != truth(t, alice) {
				t.Errorf("usage %+v, %v, it holds %+v", got, err, truth(t, alice))
			}
			if left := in(t, alice.String(), "tmp"); left != nil {
				t.Errorf("tmp/ has %q", left)
			}
			if c.name != "hard link to another's" { // whose number of links has changed
				if after := tree(t, filepath.Dir(bob.String())); !maps.Equal(before, after) {
					t.Errorf("Bob's home was\n%v\nand is\n%v", before, after)
				}
			}
			if !lastRead(t, ofBob(bob)).Equal(read) {
				t.Error("Bob's file was read")
			}
			if got := content(t, ofBob(bob)); got != theirs {
				t.Errorf("Bob's file was %q and is %q", theirs, got)
			}
			noStrangers(t)
			if c.stays {
				return
			}
			if got := tallyOf(t, alice); !got.Usable || got.Usage != truth(t, alice) {
				t.Errorf("maildirsize says %+v, the mailbox holds %+v", got, truth(t, alice))
			}
			if is := tree(t, path)[""]; !strings.HasPrefix(is, fmt.Sprintf("-rw------- %s 1 links", alice.Owner)) {
				t.Errorf("maildirsize is %s", is)
			}
		})
	}
}

// An owner who holds a lease of the file keeps nobody waiting (fcntl(2), F_SETLEASE).
func TestOwnerLeasesMaildirsize(t *testing.T) {
	alice, _ := owners(t)
	alice.Quota = Quota{Bytes: 1_000_000}
	s := open(t, Options{Create: true}, kernel.Linux{})
	if err := send(t, s, "first\r\n", alice)[0]; err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(alice.String(), quota.FileName), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// A signal tells of who waits; that it is none which ends the process.
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETSIG, int(unix.SIGURG)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skip("needs a file system with leases:", err)
	}
	begin := time.Now()
	if err := send(t, s, "second\r\n", alice)[0]; err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 20*time.Second { // leases are broken after 45
		t.Errorf("it took %v", took)
	}
	if got := tallyOf(t, alice); !got.Usable || got.Usage != truth(t, alice) {
		t.Errorf("maildirsize says %+v, the mailbox holds %+v", got, truth(t, alice))
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1_000_000_000, 0) // so that reading shows, where the file system has relatime
	if err := os.Chtimes(path, old, time.Time{}); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lastRead is when a file was read the last time.
func lastRead(t *testing.T, path string) time.Time {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return time.Unix(st.Atim.Unix())
}

// aliceAndBob have a message each; theirs is the file of Bob's.
func aliceAndBob(t *testing.T, s *Store) (alice, bob Dest, theirs string) {
	t.Helper()
	alice, bob = owners(t)
	if err := errors.Join(send(t, s, "Subject: secret\r\n\r\n", alice, bob)...); err != nil {
		t.Fatal(err)
	}
	return alice, bob, filepath.Join(bob.String(), "new", in(t, bob.String(), "new")[0])
}

// plant makes what an owner puts into cur/, by name.
func plant(t *testing.T, owner Dest, things map[string]func(path string) error) {
	t.Helper()
	for name, make := range things {
		path := filepath.Join(owner.String(), "cur", name)
		if err := errors.Join(make(path), give(path, owner.Owner)); err != nil {
			t.Fatal(err)
		}
	}
}
