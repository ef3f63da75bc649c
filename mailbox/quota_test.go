package mailbox

import (
	"context"
	"errors"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"github.com/doorstep-mail/doorstep/mailbox/quota"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tallyFresh = 15 * time.Minute // how long a count is good enough to refuse mail by
	tallySize  = 5120             // from which size on maildirsize is counted anew
)

// truth is what a mailbox holds by its files' real sizes, Trash left out.
func truth(t testing.TB, d Dest) (sum Usage) {
	t.Helper()
	for _, pattern := range []string{"new/*", "cur/*", ".*/new/*", ".*/cur/*"} {
		files, err := filepath.Glob(filepath.Join(Dest{Root: d.Root, Path: d.Path}.String(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			info, err := os.Lstat(file)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().IsRegular() && !strings.Contains(file, "/.Trash/") {
				sum = sum.Plus(Usage{Bytes: info.Size(), Messages: 1})
			}
		}
	}
	return sum
}

// tallyOf is what the maildirsize of a mailbox says.
func tallyOf(t testing.TB, d Dest) quota.Tally {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(d.Root, d.Path, quota.FileName))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return quota.Parse(b)
}

// checkTally wants a maildirsize that tells the truth, or none.
func checkTally(t testing.TB, d Dest, what string) {
	t.Helper()
	got := tallyOf(t, d)
	if want := truth(t, d); got.Usable && got.Usage != want {
		t.Errorf("%s: maildirsize says %+v, the mailbox holds %+v", what, got.Usage, want)
	}
}

// put makes a message as another program would, and returns its path.
func put(t testing.TB, d Dest, name string, octets int) string {
	t.Helper()
	path := filepath.Join(d.Root, d.Path, name)
	for _, dir := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(filepath.Dir(filepath.Dir(path)), dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, make([]byte, octets), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A mailbox takes mail up to its quota, and over it by the grace of the last message; then none
// before there is room, which a reader makes without a word.
func TestQuota(t *testing.T) {
	wire, disk := lines(1000)
	size := int64(len(disk))
	for _, tt := range []struct {
		name  string
		quota Quota
		grace int64
		fits  int
	}{
		{"bytes", Quota{Bytes: 3 * size}, 0, 3},
		{"not a whole number of them", Quota{Bytes: 4*size - 1}, 0, 3},
		{"grace", Quota{Bytes: 4*size - 1}, 1, 4},
		{"grace for one only", Quota{Bytes: 3*size - 1}, 10 * size, 3},
		{"messages", Quota{Messages: 2}, 0, 2},
		{"both", Quota{Bytes: 5 * size, Messages: 2}, 0, 2},
	} {
		t.Run("MDIR-13 "+tt.name, func(t *testing.T) {
			s := open(t, Options{Create: true, Grace: tt.grace, Durability: None}, kernel.Linux{})
			d := Dest{Root: scratch(t), Path: "u", Quota: tt.quota}
			if err := s.Room(t.Context(), Copy{To: d}, size); err != nil {
				t.Errorf("room in a mailbox that is not there: %v", err)
			}
			for i := range tt.fits {
				if err := send(t, s, wire, d)[0]; err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
				checkTally(t, d, fmt.Sprint("message ", i))
			}
			for range 2 {
				if err := send(t, s, wire, d)[0]; !errors.Is(err, ErrOverQuota) {
					t.Fatalf("one more: %v, want ErrOverQuota", err)
				}
				if err := s.Room(t.Context(), Copy{To: d}, size); !errors.Is(err, ErrOverQuota) {
					t.Errorf("room: %v, want ErrOverQuota", err)
				}
			}
			if n := len(mails(t, d)); n != tt.fits || in(t, d.String(), "tmp") != nil {
				t.Errorf("%d messages, tmp/ has %q", n, in(t, d.String(), "tmp"))
			}
			// A reader that knows nothing of quotas. The count by which mail was refused is
			// trusted for a while.
			gone := in(t, d.String(), "new")[0]
			if err := os.Remove(filepath.Join(d.String(), "new", gone)); err != nil {
				t.Fatal(err)
			}
			old := time.Now().Add(-tallyFresh - time.Second)
			if err := os.Chtimes(filepath.Join(d.String(), quota.FileName), old, old); err != nil {
				t.Fatal(err)
			}
			if err := s.Room(t.Context(), Copy{To: d}, size); err != nil {
				t.Errorf("room after a message was removed: %v", err)
			}
			if err := send(t, s, wire, d)[0]; err != nil {
				t.Errorf("after a message was removed: %v", err)
			}
			checkTally(t, d, "at the end")
		})
	}
}

// Mail is refused only by a total that was counted: one with lines after it may be wrong.
func TestNeverRefuseByStaleTotal(t *testing.T) {
	s := open(t, Options{Create: true, Durability: None}, kernel.Linux{})
	d := Dest{Root: scratch(t), Path: "u", Quota: Quota{Bytes: 5000}}
	if err := send(t, s, "x\r\n", d)[0]; err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"lines after it":     "5000S\n4000 9\n4000 9\n",
		"another's quota":    "100S\n100 1\n",
		"not usable":         "5000S\nmany few\n",
		"nothing":            "",
		"larger than it may": "5000S\n" + strings.Repeat("9 9\n", tallySize),
		"zeros":              strings.Repeat("\x00", 64),
	} {
		if err := os.WriteFile(filepath.Join(d.String(), quota.FileName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Room(t.Context(), Copy{To: d}, 1000); err != nil {
			t.Errorf("MDIR-13 %s: %v", name, err)
		}
		if err := send(t, s, "x\r\n", d)[0]; err != nil {
			t.Errorf("MDIR-13 %s: %v", name, err)
		}
		if got := tallyOf(t, d); !got.Usable || got.Usage != truth(t, d) || got.Limit != d.Quota {
			t.Errorf("MDIR-13 %s: it has become %+v", name, got)
		}
	}
}

// What is counted: new/ and cur/ of the Maildir and of its folders, by name or by size, and Trash
// only where that is wanted. What its owner planted leads nowhere.
func TestCount(t *testing.T) {
	root := scratch(t)
	d := Dest{Root: root, Path: "u", Quota: Quota{Bytes: 1 << 40}}
	put(t, d, "new/1.a,S=100", 1) // the name is believed
	put(t, d, "cur/2.b,S=200,W=210:2,ST", 1)
	put(t, d, "cur/3.c:2,S", 300)
	put(t, d, "cur/4.d,S=99999999999999999999", 400)
	put(t, d, "cur/5.e,S=1e3", 500)
	put(t, d, ".Sent/cur/6.f,S=1000", 1)
	put(t, d, ".Trash.Old/cur/7.g,S=2000", 1)
	put(t, d, ".Trash/cur/8.h,S=50000", 1)
	put(t, d, "tmp/9.i", 70000)
	put(t, d, "cur/.hidden", 80000)
	put(t, d, "folder/cur/10.j", 90000)
	foreign := t.TempDir()
	put(t, Dest{Root: foreign}, "big/cur/1.x,S=1000000", 1)
	for name, target := range map[string]string{
		".Planted": foreign + "/big", ".Sent/new/link": foreign + "/big/cur/1.x,S=1000000",
		"cur/here": "3.c:2,S", ".Loop": ".",
	} {
		path := filepath.Join(d.String(), name)
		os.Remove(path)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(d.String(), ".file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const counted = 100 + 200 + 300 + 400 + 500 + 1000 + 2000
	for trash, want := range map[bool]Usage{
		false: {Bytes: counted, Messages: 7},
		true:  {Bytes: counted + 50000, Messages: 8},
	} {
		s := open(t, Options{CountTrash: trash}, kernel.Linux{})
		var told int
		got, err := s.Recount(t.Context(), d, func(Usage) { told++ })
		if err != nil || got != want {
			t.Errorf("MDIR-13, trash %v: %+v, %v, want %+v", trash, got, err, want)
		}
		if got, err := s.Usage(t.Context(), d); err != nil || got != want {
			t.Errorf("usage: %+v, %v, want %+v", got, err, want)
		}
		if tally := tallyOf(t, d); tally.Usage != want || !tally.Fresh {
			t.Errorf("maildirsize says %+v", tally)
		}
	}
	if left := in(t, d.String(), "tmp"); len(left) != 1 {
		t.Errorf("tmp/ has %q", left)
	}
	nobody := Dest{Root: root, Path: "nobody"}
	if _, err := open(t, Options{}, kernel.Linux{}).Usage(t.Context(), nobody); !errors.Is(err, ErrNoMailbox) {
		t.Errorf("usage of nothing: %v", err)
	}
}

// A Maildir that a killed delivery has begun to make holds nothing, and has no place for
// maildirsize yet.
func TestCountUnfinished(t *testing.T) {
	root := scratch(t)
	mkdir(t, filepath.Join(root, "u"))
	s, d := open(t, Options{Create: true}, kernel.Linux{}), Dest{Root: root, Path: "u", Quota: Quota{Bytes: 1000}}
	if got, err := s.Recount(t.Context(), d, nil); err != nil || got != (Usage{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := send(t, s, "x\r\n", d)[0]; err != nil {
		t.Error(err)
	}
	if got := tallyOf(t, d); !got.Usable || got.Usage != truth(t, d) {
		t.Errorf("maildirsize says %+v, the mailbox holds %+v", got, truth(t, d))
	}
}

// TestLongNames is R15: names as long as a file system takes them are counted like others, and do not
// stand in the way of a delivery.
func TestLongNames(t *testing.T) {
	d := Dest{Root: scratch(t), Path: "u", Quota: Quota{Bytes: 1 << 30}}
	for i := range 50 {
		end := fmt.Sprintf("%02d,S=7:2,S", i)
		put(t, d, "cur/"+strings.Repeat("n", 255-len(end))+end, 7)
	}
	s := open(t, Options{}, kernel.Linux{})
	if err := send(t, s, "hello\r\n", d)[0]; err != nil {
		t.Fatal(err)
	}
	if got, err := s.Recount(t.Context(), d, nil); err != nil || got != (Usage{Bytes: 50*7 + 6, Messages: 51}) {
		t.Errorf("%+v, %v", got, err)
	}
	checkTally(t, d, "after a delivery")
}

// Trash does not count for mail elsewhere, and all counts for mail that comes into Trash: what strangers can put into a
// mailbox has its bound wherever it goes.
func TestTrashTakesMail(t *testing.T) {
	for _, count := range []bool{false, true} {
		d := Dest{Root: scratch(t), Path: "u", Folder: ".Trash", MakeFolder: AnyNumber, Quota: Quota{Bytes: 30}}
		put(t, d, "cur/1.a,S=10", 10)
		s := open(t, Options{Create: true, CountTrash: count}, kernel.Linux{})
		for i, fits := range []bool{true, true, false, false} {
			asked, err := s.Room(t.Context(), Copy{To: d}, 8), send(t, s, "123456\r\n", d)[0]
			if fits != (asked == nil) || fits != (err == nil) || !fits && !errors.Is(errors.Join(asked, err), ErrOverQuota) {
				t.Errorf("%d octets in Trash: %v at RCPT, then %v", 7*i, asked, err)
			}
		}
		inbox := d.Inbox()
		if err := send(t, s, "123456\r\n", inbox)[0]; count != (err != nil) {
			t.Errorf("the inbox, with Trash counted %t: %v", count, err)
		}
		if !count {
			checkTally(t, inbox, "after mail for Trash")
		}
		if err := send(t, s, "123456\r\n", d)[0]; !errors.Is(err, ErrOverQuota) {
			t.Errorf("Trash of a full mailbox: %v, want ErrOverQuota", err)
		}
	}
}

// Whatever is in the place of maildirsize, no file but it is read or written, and mail goes on.
func TestPlantedMaildirsize(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	const content = "1000000S\n999999999 9999\n"
	for name, plant := range map[string]func(path string) error{
		"symbolic link":          func(path string) error { return os.Symlink(victim, path) },
		"dangling symbolic link": func(path string) error { return os.Symlink(victim+"-none", path) },
		"hard link":              func(path string) error { return os.Link(victim, path) },
		"pipe":                   func(path string) error { return unix.Mkfifo(path, 0o600) },
		"directory":              func(path string) error { return os.MkdirAll(path+"/x", 0o700) },
	} {
		t.Run("MDIR-15 "+name, func(t *testing.T) {
			if err := os.WriteFile(victim, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			d := Dest{Root: scratchNear(t, victim), Path: "u", Quota: Quota{Bytes: 1000000}}
			put(t, d, "cur/1.a,S=100", 100)
			if err := plant(filepath.Join(d.String(), quota.FileName)); err != nil {
				t.Fatal(err)
			}
			s := open(t, Options{}, kernel.Linux{})
			for range 2 {
				if err := send(t, s, "x\r\n", d)[0]; err != nil {
					t.Error(err)
				}
			}
			if got, err := os.ReadFile(victim); err != nil || string(got) != content {
				t.Errorf("the other's file is %q, %v", got, err)
			}
			if _, err := os.Lstat(victim + "-none"); err == nil {
				t.Error("a file was made through the link")
			}
			if name == "directory" {
				return // it stays, and mail is counted each time
			}
			if got := tallyOf(t, d); got.Usage != truth(t, d) {
				t.Errorf("maildirsize says %+v", got)
			}
		})
	}
}

// scratchNear is a directory that can have hard links to a file.
func scratchNear(t *testing.T, file string) string {
	dir, err := os.MkdirTemp(filepath.Dir(file), "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Many deliveries at once take no more room than there is, and the file tells the truth after
// them, however often it was counted anew meanwhile.
func TestQuotaConcurrent(t *testing.T) {
	wire, disk := lines(1000)
	const fits, each, sessions = 500, 40, 16
	s := open(t, Options{Create: true, Durability: None}, kernel.Linux{})
	d := Dest{Root: scratch(t), Path: "u", Quota: Quota{Bytes: fits * int64(len(disk))}}
	var mu sync.Mutex
	var stored int
	crossed := map[int64]int{} // thresholds, in percent
	var wg sync.WaitGroup
	for range sessions {
		wg.Go(func() {
			for range each {
				m := begin(s)
				m.Add(d, nil)
				_, _ = m.Write([]byte(wire))
				m.Commit(context.Background(), func(_ int, err error) {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil:
						stored++
						before, after := m.Filled(0)
						for _, percent := range []int64{20, 50, 80, 95} {
							if line := d.Quota.Bytes * percent / 100; before.Bytes < line && line <= after.Bytes {
								crossed[percent]++
							}
						}
					case !errors.Is(err, ErrOverQuota):
						t.Error(err)
					}
				})
			}
		})
	}
	wg.Wait()
	if stored != fits {
		t.Errorf("S21: %d of %d stored, want %d", stored, sessions*each, fits)
	}
	if got := tallyOf(t, d); !got.Usable || got.Usage != truth(t, d) {
		t.Errorf("MDIR-13: maildirsize says %+v, the mailbox holds %+v", got, truth(t, d))
	}
	for _, percent := range []int64{20, 50, 80, 95} {
		if crossed[percent] != 1 {
			t.Errorf("%d %% was crossed %d times", percent, crossed[percent])
		}
	}
	if !s.ledger.Idle() {
		t.Error("a mailbox is still in use")
	}
}

// All or none: what was counted is taken back with the copies. A copy that ignores the quota is
// counted.
func TestQuotaTogether(t *testing.T) {
	root := scratch(t)
	s := open(t, Options{Create: true}, kernel.Linux{})
	roomy := Dest{Root: root, Path: "roomy", Quota: Quota{Messages: 100}}
	full := Dest{Root: root, Path: "full", Quota: Quota{Messages: 1}}
	put(t, full, "cur/1.a,S=100", 100)
	all := func(ignore bool) error {
		m := begin(s)
		m.Add(roomy, nil)
		if m.Add(full, nil); ignore {
			m.deliveries[1].ignoreQuota = true
		}
		_, _ = m.Write([]byte("x\r\n"))
		return m.CommitAll(t.Context())
	}
	if err := all(false); !errors.Is(err, ErrOverQuota) {
		t.Errorf("%v, want ErrOverQuota", err)
	}
	if got := truth(t, roomy); got != (Usage{}) {
		t.Errorf("the other copy is there: %+v", got)
	}
	if err := all(true); err != nil {
		t.Error(err)
	}
	for _, d := range []Dest{roomy, full} {
		if got := tallyOf(t, d); !got.Usable || got.Usage != truth(t, d) {
			t.Errorf("%s: maildirsize says %+v, it holds %+v", d.Path, got, truth(t, d))
		}
	}
}

// When mail comes while it is counted the sum is used, and not kept.
func TestCountWhileMailComes(t *testing.T) {
	d := Dest{Root: scratch(t), Path: "u", Quota: Quota{Bytes: 1 << 20}}
	put(t, d, "cur/1.a,S=100", 100)
	sys := newProbe()
	late := func(_ int, c call) error {
		if c.name == "replace" {
			now := time.Now().Add(time.Second) // file systems keep time in ticks
			put(t, d, "new/2.b,S=100", 100)
			return os.Chtimes(filepath.Join(d.String(), "new"), now, now)
		}
		return nil
	}
	sys.before = late
	s := open(t, Options{}, sys)
	if got, err := s.Recount(t.Context(), d, nil); err != nil || got != (Usage{Bytes: 100, Messages: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got := tallyOf(t, d); got.Usable {
		t.Errorf("MDIR-13: maildirsize says %+v", got)
	}
	sys.before = nil
	if got, err := s.Recount(t.Context(), d, nil); err != nil || got != (Usage{Bytes: 200, Messages: 2}) ||
		!tallyOf(t, d).Usable {
		t.Errorf("%+v, %v", got, err)
	}
}
