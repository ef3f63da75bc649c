package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
)

// found are the findings of a mailbox as lines: folder, file and rule, in order.
func found(v Verified) (lines []string) {
	for _, f := range v.Findings {
		lines = append(lines, strings.TrimSpace(f.Folder+" "+f.File+" "+f.Rule))
	}
	slices.Sort(lines)
	return lines
}

// private makes a file that only its owner may read, with directories above.
func private(t *testing.T, content string, path ...string) string {
	t.Helper()
	file := filepath.Join(path...)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
	return file
}

// Nothing is wrong with what deliveries write, whatever the ends of their lines and however large.
func TestVerifyDeliveries(t *testing.T) {
	for _, crlf := range []bool{false, true} {
		to := Dest{Root: scratch(t), Path: "u"}
		folder := to
		folder.Folder, folder.MakeFolder = ".R&AOQ-ksm&APY-rg&AOU-s", 1
		s := open(t, Options{Create: true, CRLF: crlf}, kernel.Linux{})
		wire, _ := lines(200_000)
		for _, text := range []string{wire, "a: b\r\n\r\nx\r\r\ny\r\n", "no end", "\r\n"} {
			if err := errors.Join(send(t, s, text, to, folder)...); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Verify(t.Context(), to, 10)
		if err != nil || got.Messages != 8 || len(got.Findings) > 0 || got.More != 0 {
			t.Errorf("CRLF %t: %+v, %v", crlf, got, err)
		}
	}
}

// Each thing that is wrong is found where it is, and nothing changes.
func TestVerify(t *testing.T) {
	to := Dest{Root: scratch(t), Path: "u"}
	home := to.String()
	s := open(t, Options{Create: true}, kernel.Linux{})
	if err := errors.Join(send(t, s, "right\r\n", to)...); err != nil {
		t.Fatal(err)
	}
	private(t, "x\ny\r\n", home, "new", "1.right,S=5,W=6")
	private(t, "x\ny\r\n", home, "cur", "2.wrong,S=6,W=6:2,")
	private(t, "x\ny\r\n", home, "cur", "3.wrong,S=5,W=7:2,S")
	private(t, "\x1f\x8bpacked", home, "cur", "4.packed,S=100,W=103:2,S")
	private(t, "", home, "cur", "5.noflags")
	private(t, "", home, "new", "6.twice,S=0")
	private(t, "", home, "cur", "6.twice:2,S")
	private(t, "", home, "new", ".hidden")
	private(t, "", home, "new", "7.dir", "x")
	open777 := private(t, "", home, "new", "8.open")
	closed := private(t, "", home, "new", "9.closed")
	private(t, "x", home, "new", "10.\n,S=1")
	young := private(t, "", home, "tmp", "young")
	private(t, "", home, "tmp", "1.M2P3Q4R0123456789abcdef.h")
	private(t, "", home, "tmp", "other")
	private(t, "", home, ".Sent", "cur", "1.x:2,S")
	private(t, "", home, ".Sent", "new", "2.x")
	private(t, "", home, ".B&d", "tmp", "young")
	private(t, "", home, ".~old", "tmp", "young")
	private(t, "", home, ".cache")
	old := s.disk.Now().Add(-SweepAge - time.Second)
	err := errors.Join(os.Chmod(open777, 0o646), os.Chmod(closed, 0o200),
		os.Symlink("../..", filepath.Join(home, ".Link")),
		os.Chtimes(filepath.Join(home, "tmp", "other"), old, old), os.Chtimes(young, old, s.disk.Now()),
		os.Chtimes(filepath.Join(home, "tmp", "1.M2P3Q4R0123456789abcdef.h"), old, old))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		".B&d  missing", ".B&d  name", ".~old  missing", ".~old  name", "Link  stranger", "Sent  missing",
		"cur/2.wrong,S=6,W=6:2, size", "cur/3.wrong,S=5,W=7:2,S size", "cur/5.noflags name",
		"cur/6.twice:2,S duplicate", "new/.hidden stranger", "new/10.\n,S=1 name", "new/7.dir stranger",
		"new/8.open mode", "new/9.closed mode", "tmp/1.M2P3Q4R0123456789abcdef.h leftover", "tmp/other leftover",
	}
	slices.Sort(want)
	before := tree(t, home)
	got, err := s.Verify(t.Context(), to, 100)
	if lines := found(got); err != nil || !slices.Equal(lines, want) || got.More != 0 || got.Messages != 13 {
		t.Errorf("%v, %d messages, %d more,\n%q, want\n%q", err, got.Messages, got.More, lines, want)
	}
	for _, f := range got.Findings {
		if f.Wrong == "" || f.Hint == "" {
			t.Errorf("without words: %+v", f)
		}
		if sweeps := strings.Contains(f.Hint, "mailbox sweep"); sweeps != (strings.HasPrefix(f.File, "tmp/1.M2")) {
			t.Errorf("%s: %s", f.File, f.Hint)
		}
	}
	if after := tree(t, home); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("it was\n%v\nand is\n%v", before, after)
	}
	if few, err := s.Verify(t.Context(), to, 4); err != nil || len(few.Findings) != 4 || few.More != 13 {
		t.Errorf("at most 4: %d, %d more, %v", len(few.Findings), few.More, err)
	}
	none := Dest{Root: to.Root, Path: "none"}
	if _, err := s.Verify(t.Context(), none, 1); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("no Maildir: %v", err)
	}
}

// A message that a reader moves while the directories are read has two names and is no duplicate.
func TestVerifyWhileReadersMove(t *testing.T) {
	to := Dest{Root: scratch(t), Path: "u"}
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	if err := errors.Join(send(t, s, "x\r\n", to)...); err != nil {
		t.Fatal(err)
	}
	name := in(t, to.String(), "new")[0]
	moved := false
	sys.before = func(_ int, c call) error {
		if !moved && strings.HasSuffix(c.path, "/cur") && c.name == "openat" {
			moved = true
			return os.Rename(filepath.Join(to.String(), "new", name), filepath.Join(to.String(), "cur", name+":2,S"))
		}
		return nil
	}
	got, err := s.Verify(t.Context(), to, 10)
	if err != nil || len(got.Findings) > 0 || !moved || got.Messages != 2 {
		t.Errorf("moved %t: %+v, %v", moved, got, err)
	}
}

// Names that are compared have a bound.
func TestUniquesAreBounded(t *testing.T) {
	u := newUniques(2)
	var full []bool
	for _, name := range []string{"1.a", "2.a", "3.a", "4.a", "1.a:2,S", "1.a,S=5", "3.a:2,S"} {
		full = append(full, u.add(name))
	}
	if want := []bool{false, false, true, false, false, false, false}; !slices.Equal(full, want) || u.twice != 1 {
		t.Errorf("full %v, want %v; %d come twice", full, want, u.twice)
	}
}

// What an owner plants is found as the owner or not at all, keeps nobody waiting, and leads nowhere.
func TestVerifyHostileOwner(t *testing.T) {
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	alice, bob, theirs := aliceAndBob(t, s)
	plant(t, alice, map[string]func(path string) error{
		"1.link,S=1,W=2:2,": func(path string) error { return os.Symlink(theirs, path) },
		"2.fifo,S=1,W=2:2,": func(path string) error { return unix.Mkfifo(path, 0o666) },
		"3.dir,S=1,W=2:2,":  func(path string) error { return os.Mkdir(path, 0o777) },
		"4.\x1b[2J\xff:2,S": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"5.holes,W=3:2,": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40))
		},
		"6.closed,W=3:2,": func(path string) error { return os.WriteFile(path, nil, 0) },
	})
	err := errors.Join(os.Link(theirs, filepath.Join(alice.String(), "cur", "7.theirs,W=3:2,")),
		os.Symlink(bob.String(), filepath.Join(alice.String(), ".Bob")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"cur/1.link,S=1,W=2:2, stranger", "cur/2.fifo,S=1,W=2:2, stranger", "cur/3.dir,S=1,W=2:2, stranger",
		"cur/4.\x1b[2J\xff:2,S name", "cur/5.holes,W=3:2, size", "cur/6.closed,W=3:2, mode",
		"cur/7.theirs,W=3:2, owner", "Bob  stranger",
	}
	slices.Sort(want)
	got, err := s.Verify(t.Context(), alice, 100)
	if lines := found(got); err != nil || !slices.Equal(lines, want) {
		t.Errorf("%v,\n%q, want\n%q", err, lines, want)
	}
	spy := bob // Bob's mail under Alice's rights
	spy.Owner = alice.Owner
	if got, err := s.Verify(t.Context(), spy, 100); got.Messages != 0 || !errors.Is(err, unix.EACCES) {
		t.Errorf("Alice reads %d messages of Bob's: %v", got.Messages, err)
	}
	if open := sys.leaks(); open != nil {
		t.Errorf("left open: %q", open)
	}
	noStrangers(t)
}

// A directory that its owner replaces while it is read leads nowhere else.
func TestVerifyReplacedMeanwhile(t *testing.T) {
	for _, when := range []string{"openat", "stat", "readNames"} {
		alice, bob := owners(t)
		sys := newProbe()
		s := open(t, Options{Create: true}, sys)
		if err := errors.Join(send(t, s, "x\r\n", alice, bob)...); err != nil {
			t.Fatal(err)
		}
		private(t, "", bob.String(), "cur", "1.theirs")
		// The process could read both: that nothing of Bob's is read is not for want of rights.
		asRoot := Dest{Root: alice.Root, Path: alice.Path}
		cur := filepath.Join(alice.String(), "cur")
		replaced := false
		sys.before = func(_ int, c call) error {
			if replaced || !strings.HasSuffix(c.path, "/cur") || c.name != when {
				return nil
			}
			replaced = true
			return errors.Join(os.Rename(cur, cur+".old"), os.Symlink(filepath.Join(bob.String(), "cur"), cur))
		}
		got, err := s.Verify(t.Context(), asRoot, 100)
		if err != nil || got.Messages != 1 || !replaced {
			t.Errorf("replaced before %s (%t): %d messages, %v", when, replaced, got.Messages, err)
		}
		for _, f := range got.Findings {
			if strings.Contains(f.File, "theirs") {
				t.Errorf("replaced before %s: read of another: %+v", when, f)
			}
		}
		if open := sys.leaks(); open != nil {
			t.Errorf("left open: %q", open)
		}
	}
}
