package mailbox

import (
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// firstOwner is the number of a user whom nobody needs to know; the next ones are others.
const firstOwner = 20_001

// home makes a home directory below root, in which there is no Maildir yet, for the owner with
// number i.
func home(t testing.TB, root string, i int) Dest {
	t.Helper()
	return homeOf(t, root, i, ownerNumber(i))
}

// ownerNumber is one of the users whom nobody needs to know.
func ownerNumber(i int) Owner {
	return Owner{UID: uint32(firstOwner + i), GID: uint32(firstOwner + 100 + i)}
}

// homeOf is home for an owner who may have others.
func homeOf(t testing.TB, root string, i int, o Owner) Dest {
	t.Helper()
	dir := filepath.Join(root, "d", fmt.Sprintf("u%d", i))
	if err := errors.Join(os.MkdirAll(dir, 0o711), os.Chmod(root, 0o711), give(dir, o), os.Chmod(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	return Dest{Root: root, Path: fmt.Sprintf("d/u%d/Maildir", i), Owner: o}
}

func give(path string, o Owner) error { return os.Lchown(path, int(o.UID), int(o.GID)) }

// owners makes the homes of Alice and Bob, and skips the test where that cannot be.
func owners(t testing.TB) (alice, bob Dest) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to deliver as two users")
	}
	root, err := os.MkdirTemp("/tmp", "owners") // each directory above must let them pass
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	return home(t, root, 0), home(t, root, 1)
}

// tree describes all that is in a directory: type, mode, owner, links, size.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		all[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%v %d:%d %d links", info.Mode(), st.Uid, st.Gid, st.Nlink)
		if info.Mode().IsRegular() {
			all[strings.TrimPrefix(path, dir)] += fmt.Sprintf(", %d octets", info.Size())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What a delivery makes is its owner's, and open to nobody else (MDIR-15).
func TestOwners(t *testing.T) {
	for _, size := range []int{1000, 2*largeBuffer + 1000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			alice, bob := owners(t)
			s := open(t, Options{Create: true, Spool: t.TempDir()}, kernel.Linux{})
			wire, disk := lines(size)
			for i, err := range send(t, s, wire, alice, bob) {
				if err != nil {
					t.Errorf("copy %d: %v", i, err)
				}
			}
			for _, d := range []Dest{alice, bob} {
				if got := mails(t, d); len(got) != 1 || got[0] != disk {
					t.Errorf("%s has %d messages, or another", d, len(got))
				}
				for path, is := range tree(t, d.String()) {
					want := fmt.Sprintf("drwx------ %s ", d.Owner)
					if strings.HasPrefix(path, "/new/") {
						want = fmt.Sprintf("-rw------- %s 1 links", d.Owner)
					}
					if !strings.HasPrefix(is, want) {
						t.Errorf("%s%s is %s, want %s", d, path, is, want)
					}
				}
			}
			noStrangers(t)
		})
	}
}

// noStrangers wants every thread to have the rights of the process.
func noStrangers(t testing.TB) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Fatal("cannot list the threads:", err)
	}
	groups, err := unix.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(status)) {
			f := strings.Fields(line)
			switch {
			case f[0] == "Uid:" && f[4] != fmt.Sprint(unix.Geteuid()), f[0] == "Gid:" && f[4] != fmt.Sprint(unix.Getegid()):
				t.Errorf("%s: %s", task, line)
			case f[0] == "Groups:" && len(f)-1 != len(groups):
				t.Errorf("%s: %s, the process has %v", task, line, groups)
			}
		}
	}
}

// A hostile owner has everything inside the home; what is in the way there leads nowhere (S11,
// S12), and touches nobody else's mail.
func TestHostileOwner(t *testing.T) {
	replace := func(name string, with func(path string, alice, bob Dest) error) func(alice, bob Dest) error {
		return func(alice, bob Dest) error {
			path := filepath.Join(alice.String(), name)
			return errors.Join(os.RemoveAll(path), with(path, alice, bob))
		}
	}
	link := func(to string) func(string, Dest, Dest) error {
		return func(path string, _, bob Dest) error { return os.Symlink(filepath.Join(bob.String(), to), path) }
	}
	fifo := func(path string, alice, _ Dest) error {
		return errors.Join(unix.Mkfifo(path, 0o600), give(path, alice.Owner))
	}
	file := func(path string, alice, _ Dest) error {
		return errors.Join(os.WriteFile(path, nil, 0o600), give(path, alice.Owner))
	}
	socket := func(path string, alice, _ Dest) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return errors.Join(err, unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Close(fd))
	}
	ofBob := func(path string, _, bob Dest) error {
		return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777), give(path, bob.Owner))
	}
	unwritable := func(path string, alice, _ Dest) error {
		return errors.Join(os.Mkdir(path, 0o500), give(path, alice.Owner))
	}
	openToGroup0 := func(path string, _, _ Dest) error {
		return errors.Join(os.Mkdir(path, 0o770), os.Chmod(path, 0o770)) // of root and its group, in which the test is
	}
	for _, c := range []struct {
		name  string
		plant func(alice, bob Dest) error
		want  error
	}{
		{"Maildir is a link", replace("", link("")), ErrNotMaildir},
		{"tmp is a link", replace("tmp", link("tmp")), ErrNotMaildir},
		{"new is a link", replace("new", link("new")), ErrNotMaildir},
		{"Maildir is a FIFO", replace("", fifo), ErrNotMaildir},
		{"new is a FIFO", replace("new", fifo), ErrNotMaildir},
		{"tmp is a file", replace("tmp", file), ErrNotMaildir},
		{"tmp is a socket", replace("tmp", socket), ErrNotMaildir},
		{"new is another's", replace("new", ofBob), ErrForeign},
		{"tmp is another's", replace("tmp", ofBob), ErrForeign},
		{"Maildir is another's", replace("", ofBob), unix.ENOENT},
		{"tmp may not be written to", replace("tmp", unwritable), unix.EACCES},
		{"new is open to a group of the process", replace("new", openToGroup0), unix.EACCES},
		{"home is another's", func(alice, bob Dest) error {
			return errors.Join(os.RemoveAll(alice.String()), give(filepath.Dir(alice.String()), bob.Owner))
		}, unix.EACCES},
	} {
		t.Run(c.name, func(t *testing.T) {
			alice, bob := owners(t)
			s := open(t, Options{Create: c.want != unix.ENOENT}, kernel.Linux{})
			for _, d := range []Dest{alice, bob} {
				for _, sub := range []string{"", "cur", "new", "tmp"} {
					dir := filepath.Join(d.String(), sub)
					if err := errors.Join(os.Mkdir(dir, 0o700), give(dir, d.Owner)); err != nil {
						t.Fatal(err)
					}
				}
			}
			litter := filepath.Join(bob.String(), "tmp", "1.M1P1Q1R0123456789abcdef.h") // that a sweep of Bob's would take
			long := time.Unix(1, 0)
			if err := errors.Join(os.WriteFile(litter, nil, 0o600), os.Chtimes(litter, long, long),
				give(litter, bob.Owner)); err != nil {
				t.Fatal(err)
			}
			if err := c.plant(alice, bob); err != nil {
				t.Fatal(err)
			}
			before := tree(t, filepath.Dir(alice.String()))
			foretold := s.Reachable(context.Background(), alice)
			if c.want != unix.EACCES && !errors.Is(foretold, c.want) {
				t.Errorf("Reachable: %v, want %v", foretold, c.want)
			}
			outcomes := send(t, s, "Subject: x\r\n\r\n", alice, bob)
			if !errors.Is(outcomes[0], c.want) {
				t.Errorf("Alice: %v, want %v", outcomes[0], c.want)
			}
			if outcomes[1] != nil || len(mails(t, bob)) != 1 {
				t.Errorf("Bob: %v, %d messages, want 1", outcomes[1], len(mails(t, bob)))
			}
			if after := tree(t, filepath.Dir(alice.String())); !maps.Equal(before, after) {
				t.Errorf("Alice's home was\n%v\nand is\n%v", before, after)
			}
			if n, err := s.Sweep(context.Background(), alice, 0); n != 0 {
				t.Errorf("swept %d files, %v", n, err)
			}
			if left := in(t, bob.String(), "tmp"); len(left) != 1 {
				t.Errorf("Bob's tmp/ has %q, want what was left there", left)
			}
			noStrangers(t)
		})
	}
}

// Directories that become links and back while mail comes: it ends up in the owner's own
// directories, or nowhere.
func TestOwnerSwapsDirectories(t *testing.T) {
	alice, bob := owners(t)
	s := open(t, Options{Create: true, Durability: None}, kernel.Linux{})
	for i, err := range send(t, s, "first\r\n", alice, bob) {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	before := tree(t, bob.String())
	stop, swapped := make(chan struct{}), make(chan error, 1)
	go func() {
		swapped <- kernel.Linux{}.As(alice.Owner, func() error { return swap(alice.String(), bob.String(), stop) })
	}()
	var mu sync.Mutex
	delivered := 1
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 250 {
				if err := send(t, s, "again\r\n", alice)[0]; err == nil {
					mu.Lock()
					delivered++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	if err := <-swapped; err != nil {
		t.Fatal("swap:", err)
	}
	if got := len(mails(t, alice)); got != delivered {
		t.Errorf("%d messages are reported as stored, and %d are there", delivered, got)
	}
	t.Logf("%d of 2000 delivered", delivered-1)
	if after := tree(t, bob.String()); !maps.Equal(before, after) {
		t.Errorf("Bob's Maildir was\n%v\nand is\n%v", before, after)
	}
	noStrangers(t)
}

// swap puts links to another Maildir's directories in the place of one's own, and takes them away,
// until stop; in the end all is as it was. It goes on with threads of the caller only.
func swap(maildir, other string, stop <-chan struct{}) error {
	for {
		for _, name := range []string{"new", "tmp", "cur"} {
			own, aside := filepath.Join(maildir, name), filepath.Join(maildir, name+".aside")
			if err := errors.Join(unix.Rename(own, aside), unix.Symlink(filepath.Join(other, name), own),
				unix.Unlink(own), unix.Rename(aside, own)); err != nil {
				// A delivery makes what is missing. That is then in the way.
				if unix.Renameat2(unix.AT_FDCWD, aside, unix.AT_FDCWD, own, unix.RENAME_EXCHANGE) == nil {
					if err := collect(aside, own); err != nil {
						return err
					}
				}
			}
		}
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// collect moves the files in one directory into another, and removes it.
func collect(from, to string) error {
	for range 1000 {
		dir, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		for _, file := range dir {
			old, name := filepath.Join(from, file.Name()), filepath.Join(to, file.Name())
			if err := unix.Rename(old, name); err != nil && err != unix.ENOENT {
				return err
			}
		}
		if err := unix.Rmdir(from); err != unix.ENOTEMPTY {
			return err
		}
	}
	return unix.ENOTEMPTY
}

// A hard link to another's file that an owner could make (protected_hardlinks is off) is left
// alone by all who come across it.
func TestOwnerPlantsHardLink(t *testing.T) {
	alice, bob := owners(t)
	s := open(t, Options{Create: true}, kernel.Linux{})
	for i, err := range send(t, s, "first\r\n", alice, bob) {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	file := filepath.Join(bob.String(), "new", in(t, bob.String(), "new")[0])
	planted := filepath.Join(alice.String(), "tmp", "1.M1P1Q1R0123456789abcdef.h")
	if err := errors.Join(os.Link(file, planted), os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	before := tree(t, file)
	if err := send(t, s, "second\r\n", alice)[0]; err != nil {
		t.Error(err)
	}
	if after := tree(t, file); !maps.Equal(before, after) {
		t.Errorf("Bob's file was %v and is %v", before, after)
	}
	// The sweeper may remove the name, which is Alice's, and nothing else.
	if _, err := s.Sweep(context.Background(), alice, 0); err != nil {
		t.Error(err)
	}
	if got := mails(t, bob); len(got) != 1 || got[0] != "first\n" {
		t.Errorf("Bob has %q", got)
	}
}

// Content for several owners is never where one of them could change what the others get.
func TestOwnersShareNoFile(t *testing.T) {
	alice, bob := owners(t)
	s := open(t, Options{Create: true, Spool: t.TempDir()}, kernel.Linux{})
	wire, _ := lines(2*largeBuffer + 1000)
	m := begin(s)
	m.Add(alice, nil)
	m.Add(bob, nil)
	if _, err := m.Write([]byte(wire)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []Dest{alice, bob} {
		if left := in(t, d.String(), "tmp"); left != nil {
			t.Errorf("%s has %q before the end of the content", d, left)
		}
	}
	m.Close()
	if left := in(t, s.opts.Spool); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

// The owner of several copies can spoil them, and keep nobody waiting.
func TestOwnerReplacesCarrier(t *testing.T) {
	alice, _ := owners(t)
	second := alice
	second.Path = "d/u0/Second"
	s := open(t, Options{Create: true}, kernel.Linux{})
	wire, _ := lines(2*largeBuffer + 1000)
	m := begin(s)
	m.Add(alice, nil)
	m.Add(second, nil)
	if _, err := m.Write([]byte(wire)); err != nil {
		t.Fatal(err)
	}
	carrier := filepath.Join(alice.String(), "tmp", in(t, alice.String(), "tmp")[0])
	if err := errors.Join(os.Remove(carrier), unix.Mkfifo(carrier, 0o600), give(carrier, alice.Owner)); err != nil {
		t.Fatal(err)
	}
	if err := commit(t, m, 2)[1]; err == nil {
		t.Error("the copy of a FIFO was delivered")
	}
}

// Root is nobody's owner, whatever a directory says.
func TestOwnerRoot(t *testing.T) {
	s := open(t, Options{Create: true}, kernel.Linux{})
	for _, o := range []Owner{{UID: 0, GID: 1}, {UID: 1, GID: 0}, {UID: 1<<32 - 1, GID: 1}, {UID: 1, GID: 1<<32 - 1}} {
		to := Dest{Root: t.TempDir(), Path: "u", Owner: o}
		if err := send(t, s, "x\r\n", to)[0]; !errors.Is(err, ErrOwner) {
			t.Errorf("owner %s: %v", o, err)
		}
		if err := (kernel.Linux{}).As(o, func() error { return nil }); !errors.Is(err, ErrOwner) {
			t.Errorf("as %s: %v", o, err)
		}
	}
}

// Many deliveries to two owners at once, some of which panic in the midst, leave no thread with
// the rights of others, and every file is its owner's.
func TestOwnersAtOnce(t *testing.T) {
	alice, bob := owners(t)
	sys := newProbe()
	sys.before = func(n int, c call) error {
		if c.name == "rename" && n%7 == 0 {
			panic("boom")
		}
		return nil
	}
	s := open(t, Options{Create: true, Durability: None}, sys)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 30 {
				func() {
					defer func() { _ = recover() }()
					m := begin(s)
					m.Add([]Dest{alice, bob}[i%2], nil)
					_, _ = m.Write([]byte("x\r\n"))
					m.Commit(context.Background(), func(int, error) {})
				}()
			}
		})
	}
	wg.Wait()
	noStrangers(t)
	for _, d := range []Dest{alice, bob} {
		files := slices.Collect(maps.Values(tree(t, d.String())))
		if len(files) < 10 {
			t.Errorf("%s has %d files", d, len(files))
		}
		for _, is := range files {
			if !strings.Contains(is, d.Owner.String()) {
				t.Errorf("%s has a file %s", d, is)
			}
		}
	}
}
