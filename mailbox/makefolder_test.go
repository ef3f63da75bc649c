package mailbox

import (
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// courier is the encoding of folders, by whether Courier reads them.
var courier = map[bool]FolderEncoding{true: FolderUTF8, false: FolderUTF7}

// write writes a file of a Maildir.
func write(t testing.TB, content string, elem ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(elem...), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// wantFolder checks that a folder is whole, subscribed to once, and that its Maildir is one.
func wantFolder(t *testing.T, what string, to Dest, littered bool) {
	t.Helper()
	if names := in(t, to.String()); !slices.Equal(names, []string{"cur", "maildirfolder", "new", "tmp"}) {
		t.Errorf("%s: the folder holds %q", what, names)
	}
	inbox := in(t, to.Inbox().String())
	for _, name := range []string{"cur", "new", "tmp"} {
		if !slices.Contains(inbox, name) {
			t.Errorf("%s: the Maildir holds %q", what, inbox)
		}
	}
	isLock := func(name string) bool { return strings.HasSuffix(name, ".lock") }
	if left := slices.IndexFunc(inbox, isLock); left >= 0 && !littered {
		t.Errorf("%s: %s is left", what, inbox[left])
	}
	for file, line := range map[string]string{
		"subscriptions":         to.Folder[1:] + "\n",
		"courierimapsubscribed": "INBOX" + to.Folder + "\n",
	} {
		if file != "subscriptions" && !slices.Contains(inbox, file) {
			continue
		}
		if list := read(t, to.Inbox().String(), file); strings.Count("\n"+list, "\n"+line) != 1 {
			t.Errorf("%s: %s is %q", what, file, list)
		}
	}
}

func TestMakeFolder(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "d/u", Folder: ".Lists.Go", MakeFolder: 2}
	s := open(t, Options{Create: true}, kernel.Linux{})
	for range 2 {
		if err := send(t, s, "x\r\n", to)[0]; err != nil {
			t.Fatal(err)
		}
		wantFolder(t, "MDIR-10 as the first of a Maildir", to, false)
	}
	if n := len(mails(t, to)); n != 2 {
		t.Errorf("%d messages", n)
	}
	if info, err := os.Stat(to.Inbox().String() + "/subscriptions"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("subscriptions: %v, %v", info, err)
	}

	t.Run("unsubscribed, it stays so", func(t *testing.T) {
		write(t, "", to.Inbox().String(), "subscriptions")
		if err := send(t, open(t, Options{Create: true}, kernel.Linux{}), "x\r\n", to)[0]; err != nil {
			t.Fatal(err)
		}
		if list := read(t, to.Inbox().String(), "subscriptions"); list != "" {
			t.Errorf("subscriptions %q", list)
		}
	})
	t.Run("so many and no more", func(t *testing.T) {
		for i, fits := range []bool{true, false} {
			next := to
			next.Folder = fmt.Sprintf(".%d", i)
			if can, err := s.CanMakeFolder(t.Context(), next); can != fits || err != nil {
				t.Errorf("folder %d: %t, %v", i, can, err)
			}
			if err := send(t, s, "x\r\n", next)[0]; fits != (err == nil) || !fits && !errors.Is(err, ErrFolderLimit) {
				t.Errorf("folder %d: %v", i, err)
			}
		}
		next := to
		next.Folder, next.MakeFolder = ".Junk", AnyNumber
		if err := send(t, s, "x\r\n", next)[0]; err != nil {
			t.Error(err)
		}
		wantFolder(t, "any number", next, false)
	})
	t.Run("half made", func(t *testing.T) {
		half := to
		half.Folder = ".half"
		mkdir(t, half.String(), "new", "tmp")
		if can, err := s.CanMakeFolder(t.Context(), half); !can || err != nil {
			t.Errorf("%t, %v", can, err)
		}
		if err := send(t, s, "x\r\n", half)[0]; err != nil {
			t.Error(err)
		}
		wantFolder(t, "half made", half, false)
	})
	t.Run("SEC what is in the way is not touched", func(t *testing.T) {
		elsewhere := t.TempDir()
		for _, name := range []string{".link", ".file"} {
			taken := to
			taken.Folder, taken.MakeFolder = name, AnyNumber
			if name == ".link" {
				if err := os.Symlink(elsewhere, taken.String()); err != nil {
					t.Fatal(err)
				}
			} else {
				write(t, "x", taken.String())
			}
			if can, err := s.CanMakeFolder(t.Context(), taken); can || err != nil {
				t.Errorf("%s: %t, %v", name, can, err)
			}
			if err := send(t, s, "x\r\n", taken)[0]; !errors.Is(err, ErrNotMaildir) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if names := in(t, elsewhere); names != nil {
			t.Errorf("after the link: %q", names)
		}
	})
	t.Run("MDIR-17 no Maildir and none to be made", func(t *testing.T) {
		s := open(t, Options{}, kernel.Linux{})
		for _, path := range []string{"missing", "empty"} {
			mkdir(t, to.Root, "empty")
			nowhere := Dest{Root: to.Root, Path: path, Folder: ".a", MakeFolder: 1}
			if err := send(t, s, "x\r\n", nowhere)[0]; !errors.Is(err, ErrNoMailbox) {
				t.Errorf("%s: %v", path, err)
			}
		}
		if names := in(t, to.Root, "empty"); names != nil {
			t.Errorf("made %q", names)
		}
	})
}

// Many deliveries make the same folders at the same time: each is made and listed once, and the
// bound holds.
func TestMakeFolderConcurrently(t *testing.T) {
	inbox := Dest{Root: t.TempDir(), Path: "u"}
	s := open(t, Options{Create: true}, kernel.Linux{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	made, refused := map[string]bool{}, 0
	for n := range 64 {
		wg.Go(func() {
			to := inbox
			to.Folder, to.MakeFolder = fmt.Sprintf(".f%d", n%16), 10
			err := send(t, s, "x\r\n", to)[0]
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				made[to.Folder] = true
			case errors.Is(err, ErrFolderLimit):
				refused++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(made) != 10 || refused != 24 {
		t.Errorf("%d folders, %d refused", len(made), refused)
	}
	for folder := range made {
		to := inbox
		to.Folder = folder
		wantFolder(t, folder, to, false)
	}
}

func TestSubscribe(t *testing.T) {
	const name = "R&AOQ-ksm&APY-rg&AOU-s &- Co"
	for what, tt := range map[string]struct {
		courier   bool
		have      map[string]string
		want      map[string]string
		otherwise func(t *testing.T, dir string)
	}{
		"none": {want: map[string]string{"subscriptions": name + ".Go\n"}},
		"Dovecot's first version": {have: map[string]string{"subscriptions": "Sent\n"},
			want: map[string]string{"subscriptions": "Sent\n" + name + ".Go\n"}},
		"Dovecot's second version": {have: map[string]string{"subscriptions": "V\t2\n\nSent\n"},
			want: map[string]string{"subscriptions": "V\t2\n\nSent\n" + name + "\tGo\n"}},
		"there already": {have: map[string]string{"subscriptions": name + ".Go\nSent\n"},
			want: map[string]string{"subscriptions": name + ".Go\nSent\n"}},
		"part of another name": {have: map[string]string{"subscriptions": "x" + name + ".Go\n" + name + ".Go.x\n"},
			want: map[string]string{"subscriptions": "x" + name + ".Go\n" + name + ".Go.x\n" + name + ".Go\n"}},
		"no end of the last line": {have: map[string]string{"subscriptions": "Sent"},
			want: map[string]string{"subscriptions": "Sent\n" + name + ".Go\n"}},
		"any octets are kept": {have: map[string]string{"subscriptions": "\x00\xff\r\n\n\n"},
			want: map[string]string{"subscriptions": "\x00\xff\r\n\n\n" + name + ".Go\n"}},
		"too large": {have: map[string]string{"subscriptions": strings.Repeat("x\n", maxSubscriptions)},
			want: map[string]string{"subscriptions": strings.Repeat("x\n", maxSubscriptions)}},
		"Courier's": {have: map[string]string{"courierimapsubscribed": "INBOX.Sent\n"},
			want: map[string]string{"courierimapsubscribed": "INBOX.Sent\nINBOX." + name + ".Go\n",
				"subscriptions": name + ".Go\n"}},
		"Courier's, made": {courier: true,
			want: map[string]string{"courierimapsubscribed": "INBOX." + name + ".Go\n", "subscriptions": name + ".Go\n"}},
		"a symbolic link": {otherwise: func(t *testing.T, dir string) {
			write(t, "secret\n", dir, "target")
			if err := os.Symlink("target", dir+"/subscriptions"); err != nil {
				t.Fatal(err)
			}
		}, want: map[string]string{"subscriptions": "secret\n", "target": "secret\n"}},
		"a hard link": {otherwise: func(t *testing.T, dir string) {
			write(t, "secret\n", dir, "target")
			if err := os.Link(dir+"/target", dir+"/subscriptions"); err != nil {
				t.Fatal(err)
			}
		}, want: map[string]string{"subscriptions": "secret\n", "target": "secret\n"}},
		"a pipe": {otherwise: func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(dir+"/subscriptions", 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"a directory": {otherwise: func(t *testing.T, dir string) { mkdir(t, dir, "subscriptions") }},
		"a directory locks": {otherwise: func(t *testing.T, dir string) {
			mkdir(t, dir, "subscriptions.lock")
			age(t, dir, "subscriptions.lock")
		}},
		"a stale lock": {otherwise: func(t *testing.T, dir string) {
			write(t, "half", dir, "subscriptions.lock")
			age(t, dir, "subscriptions.lock")
		}, want: map[string]string{"subscriptions": name + ".Go\n"}},
		"a link locks": {otherwise: func(t *testing.T, dir string) {
			if err := os.Symlink("target", dir+"/subscriptions.lock"); err != nil {
				t.Fatal(err)
			}
		}, want: map[string]string{"subscriptions": name + ".Go\n"}},
	} {
		t.Run(what, func(t *testing.T) {
			to := Dest{Root: t.TempDir(), Path: "u", Folder: "." + name + ".Go", MakeFolder: AnyNumber}
			sys := newProbe()
			s := open(t, Options{Create: true, Folders: courier[tt.courier]}, sys)
			if err := send(t, s, "x\r\n", to.Inbox())[0]; err != nil {
				t.Fatal(err)
			}
			dir := to.Inbox().String()
			for file, content := range tt.have {
				write(t, content, dir, file)
			}
			if tt.otherwise != nil {
				tt.otherwise(t, dir)
			}
			if what == "a link locks" { // its own time cannot be set
				sys.clock = func() time.Time { return time.Now().Add(time.Hour) }
			}
			if err := send(t, s, "x\r\n", to)[0]; err != nil {
				t.Fatal(err)
			}
			for file, want := range tt.want {
				if got := read(t, dir, file); got != want {
					t.Errorf("%s: %q, want %q", file, got, want)
				}
			}
			if tt.have["courierimapsubscribed"] == "" && !tt.courier && read(t, dir, "courierimapsubscribed") != "" {
				t.Error("made a list for Courier")
			}
			if what != "a directory locks" && slices.Contains(in(t, dir), "subscriptions.lock") {
				t.Error("the lock is left")
			}
		})
	}
}

// age makes a file look as old as one that was left behind.
func age(t *testing.T, elem ...string) {
	t.Helper()
	long := time.Now().Add(-2 * staleLock)
	if err := os.Chtimes(filepath.Join(elem...), long, long); err != nil {
		t.Fatal(err)
	}
}

// A program that changes the list meanwhile is waited for, though not for ever, and what they wrote
// is kept.
func TestSubscribeWaits(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u", Folder: ".a", MakeFolder: AnyNumber}
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	if err := send(t, s, "x\r\n", to.Inbox())[0]; err != nil {
		t.Fatal(err)
	}
	dir := to.Inbox().String()
	write(t, "Sent\n", dir, "subscriptions.lock")
	waits := 0
	sys.before = func(_ int, c call) error {
		if c.name == "stat" && strings.HasSuffix(c.path, ".lock") {
			if waits++; waits == 2 {
				return os.Rename(dir+"/subscriptions.lock", dir+"/subscriptions")
			}
		}
		return nil
	}
	if err := send(t, s, "x\r\n", to)[0]; err != nil {
		t.Fatal(err)
	}
	if list := read(t, dir, "subscriptions"); list != "Sent\na\n" {
		t.Errorf("subscriptions %q", list)
	}

	write(t, "", dir, "subscriptions.lock")
	to.Folder = ".b"
	ctx, cancel := context.WithCancel(t.Context())
	sys.before = func(_ int, c call) error {
		if c.name == "stat" && strings.HasSuffix(c.path, ".lock") {
			cancel()
		}
		return nil
	}
	m := begin(s)
	m.Add(to, nil)
	m.Commit(ctx, func(_ int, err error) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want the end of the context", err)
		}
	})
	if there, err := s.HasFolder(t.Context(), to); there || err != nil {
		t.Errorf("the folder is made without its subscription: %t, %v", there, err)
	}
}

// TestFolderOrder: what readers look for comes last, and all of it is durable before the report.
func TestFolderOrder(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u", Folder: ".a", MakeFolder: 1}
	book := newLedger(func(string, bool) bool { return false })
	s := open(t, Options{Create: true}, book)
	if err := send(t, s, "x\r\n", to)[0]; err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"subscriptions", ".a/maildirfolder", ".a/cur", ".a/new", ".a/tmp", "cur", "new", "tmp"} {
		path = filepath.Join(to.Inbox().String(), path)
		if !book.names[path] {
			t.Errorf("MDIR-05: the name of %s is not durable", path)
		}
		if whole, written := book.whole[path]; written && !whole {
			t.Errorf("MDIR-05: %s is not durable", path)
		}
	}
	if book.torn != nil {
		t.Errorf("MDIR-05: published before their octets were durable: %q", book.torn)
	}
}

// What is made for a folder is its owner's (MDIR-15): the folder, what is in it, and the list.
func TestMakeFolderForOwner(t *testing.T) {
	alice, bob := owners(t)
	s := open(t, Options{Create: true, Folders: FolderUTF8}, kernel.Linux{})
	for _, to := range []Dest{alice, bob} {
		to.Folder, to.MakeFolder = ".a", 1
		if can, err := s.CanMakeFolder(t.Context(), to); !can || err != nil {
			t.Errorf("%t, %v", can, err)
		}
		if err := send(t, s, "x\r\n", to)[0]; err != nil {
			t.Fatal(err)
		}
		wantFolder(t, to.String(), to, false)
		made := 0
		err := filepath.WalkDir(to.Inbox().String(), func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := os.Lstat(path)
			if err != nil {
				return err
			}
			made++
			if is := info.Sys().(*syscall.Stat_t); is.Uid != to.Owner.UID || is.Gid != to.Owner.GID ||
				info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %d:%d %v", path, is.Uid, is.Gid, info.Mode())
			}
			return nil
		})
		if err != nil || made < 10 {
			t.Errorf("%d files, %v", made, err)
		}
	}
}
