package mailbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// inSetsOf delivers to mailboxes of these names, and returns the outcomes by name.
func inSetsOf(ctx context.Context, t *testing.T, s *Store, root string, names []string, sets Sets) map[string]error {
	t.Helper()
	m := begin(s)
	for _, name := range names {
		m.Add(Dest{Root: root, Path: name}, nil)
	}
	_, _ = m.Write([]byte("x\r\n"))
	defer m.Close()
	var mu sync.Mutex
	outcomes := map[string]error{}
	m.CommitSets(ctx, sets, func(i int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if _, again := outcomes[names[i]]; again {
			t.Errorf("%s has two outcomes", names[i])
		}
		outcomes[names[i]] = err
	})
	return outcomes
}

// TestSets: which copies are there where one cannot be written.
func TestSets(t *testing.T) {
	spare := func(_ int, err error) bool { return errors.Is(err, unix.EDQUOT) }
	for _, tt := range []struct {
		name  string
		sets  Sets
		fails map[string]error
		want  string // the mailboxes that have the message
	}{
		{"all", Sets{Of: [][]int{{0, 1}, {2}}}, nil, "a b c"},
		{"one of a set", Sets{Of: [][]int{{0, 1}, {2}}}, map[string]error{"b": unix.EIO}, "c"},
		{"one that is alone too", Sets{Of: [][]int{{0, 1}, {1}, {2}}}, map[string]error{"a": unix.EIO}, "b c"},
		{"sets that overlap", Sets{Of: [][]int{{0, 1}, {1, 2}}}, map[string]error{"a": unix.EIO}, "b c"},
		{"in no set", Sets{Of: [][]int{{0}, {2}}}, nil, "a c"},
		{"no set", Sets{}, nil, ""},
		{"together", Sets{Of: [][]int{{0, 1}, {2}}, Together: true}, map[string]error{"c": unix.EIO}, ""},
		{"spared", Sets{Of: [][]int{{0, 1}, {2}}, Spare: spare}, map[string]error{"b": unix.EDQUOT}, "a c"},
		{"spared, all of a set", Sets{Of: [][]int{{0, 1}, {2}}, Spare: spare},
			map[string]error{"a": unix.EDQUOT, "b": unix.EDQUOT}, "c"},
		{"spared, but not for another", Sets{Of: [][]int{{0, 1, 2}}, Spare: spare},
			map[string]error{"a": unix.EDQUOT, "b": unix.EIO}, ""},
		{"spared, but alone, together", Sets{Of: [][]int{{0, 1}, {1}, {2}}, Together: true, Spare: spare},
			map[string]error{"b": unix.EDQUOT}, ""},
	} {
		for _, call := range []string{"writev", "rename"} {
			if call == "rename" && tt.sets.Spare != nil {
				continue // what fails there is not spared
			}
			t.Run(tt.name+"/"+call, func(t *testing.T) {
				root := scratch(t)
				sys := newProbe()
				s := open(t, Options{Create: true}, sys)
				sys.before = func(_ int, c callOf) error {
					name, _, _ := strings.Cut(strings.TrimPrefix(c.path, root+"/"), "/")
					if c.name == call && strings.HasSuffix(strings.Split(c.path, ",")[0], ".h") {
						return tt.fails[name]
					}
					return nil
				}
				outcomes := inSetsOf(t.Context(), t, s, root, []string{"a", "b", "c"}, tt.sets)
				var got []string
				for _, name := range slices.Sorted(maps.Keys(outcomes)) {
					to := Dest{Root: root, Path: name}
					n := len(mails(t, to))
					if (n == 1) != (outcomes[name] == nil) || n > 1 {
						t.Errorf("%s has %d messages: %v", name, n, outcomes[name])
					}
					if want := tt.fails[name]; want != nil && !errors.Is(outcomes[name], want) {
						t.Errorf("%s: %v, want %v", name, outcomes[name], want)
					}
					if n == 1 {
						got = append(got, name)
					}
				}
				if strings.Join(got, " ") != tt.want || len(outcomes) != 3 {
					t.Errorf("%v have the message, want %s: %v", got, tt.want, outcomes)
				}
				if open := sys.leaks(); open != nil {
					t.Errorf("left open: %q", open)
				}
				if !s.busy.Idle() {
					t.Error("mailboxes are still busy")
				}
			})
		}
	}
}

// A callOf is a system call; call is a name of the test.
type callOf = call

// TestSetsRenameBeforeSync: no directory is synced before the last copy of a set has its name, so that one which cannot
// have its name is known before a reader is likely to have looked.
func TestSetsRenameBeforeSync(t *testing.T) {
	root := scratch(t)
	sys := newProbe()
	s := open(t, Options{Create: true}, sys)
	names := make([]string, 20)
	all := make([]int, 20)
	for i := range names {
		names[i], all[i] = fmt.Sprintf("u%d", i), i
	}
	for range 2 { // the first makes the Maildirs
		sys.take()
		inSetsOf(t.Context(), t, s, root, names, Sets{Of: [][]int{all}})
	}
	renamed, synced := 0, 0
	for _, c := range sys.take() {
		switch {
		case c.name == "rename":
			if renamed++; synced > 0 {
				t.Fatalf("%s is renamed after a directory was synced", c.path)
			}
		case c.name == "fsync" && strings.HasSuffix(c.path, "/new"):
			synced++
		}
	}
	if renamed != 20 || synced != 20 {
		t.Errorf("%d renames and %d syncs, want 20", renamed, synced)
	}
}

// TestSetsOnFileSystemThatHangs: one copy that hangs holds up its own set alone. When the time is over and it goes on,
// nothing of the set is published any more.
func TestSetsOnFileSystemThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := scratch(t)
		s, disk := blocked(t, "/hangs/tmp", 16)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var end sync.WaitGroup
		end.Go(func() {
			sets := Sets{Of: [][]int{{0, 1}, {1, 2}, {3}}}
			outcomes := inSetsOf(ctx, t, s, root, []string{"a", "b", "hangs", "c"}, sets)
			if outcomes["a"] != nil || outcomes["b"] != nil || outcomes["c"] != nil ||
				!errors.Is(outcomes["hangs"], context.DeadlineExceeded) {
				t.Errorf("outcomes %v", outcomes)
			}
		})
		end.Go(func() {
			outcomes := inSetsOf(ctx, t, s, root, []string{"d", "hangs"}, Sets{Of: [][]int{{0, 1}}})
			if len(outcomes) != 2 || outcomes["d"] == nil || outcomes["hangs"] == nil {
				t.Errorf("outcomes %v, want two errors", outcomes)
			}
		})
		synctest.Wait()
		for name, want := range map[string]int{"a": 1, "b": 1, "c": 1, "d": 0} {
			if n := len(mails(t, Dest{Root: root, Path: name})); n != want {
				t.Errorf("%s has %d messages while another hangs, want %d", name, n, want)
			}
		}
		<-ctx.Done()
		close(disk.lifted)
		end.Wait()
		for _, name := range []string{"d", "hangs"} {
			to := Dest{Root: root, Path: name}
			if n := len(mails(t, to)) + len(in(t, to.String(), "tmp")); n != 0 {
				t.Errorf("%s has %d files after the end", name, n)
			}
		}
	})
}

// TestSetsHoldNothingElsewhere: while copies of many sets hang as they are published, what answers is not held up by
// them: they keep no place and no slot of another file system.
func TestSetsHoldNothingElsewhere(t *testing.T) {
	const sets = 260 // more than there are places on a file system
	for _, tt := range []struct {
		call     string
		parallel int
	}{{"rename", 0}, {"fsync", sets}} {
		t.Run(fmt.Sprint(tt.call, tt.parallel), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root, elsewhere := scratch(t), well(t)
				sys, lifted := newProbe(), make(chan struct{})
				s := open(t, Options{Create: true, Parallel: tt.parallel}, sys)
				sys.before = func(_ int, c call) error {
					probed := c.path == filepath.Dir(root)
					if probed || c.name == tt.call && strings.HasPrefix(c.path, root) && strings.Contains(c.path, ",") ||
						c.name == tt.call && strings.HasPrefix(c.path, root) && strings.HasSuffix(c.path, "/new") {
						<-lifted
					}
					return nil
				}
				var end sync.WaitGroup
				outcomes, dests := make([][2]error, sets), make([][2]Dest, sets)
				for i := range sets {
					dests[i] = [2]Dest{{Root: elsewhere, Path: fmt.Sprint(i)}, {Root: root, Path: fmt.Sprint(i)}}
					if i%2 == 0 {
						slices.Reverse(dests[i][:])
					}
					m := begin(s)
					m.Add(dests[i][0], nil)
					m.Add(dests[i][1], nil)
					_, _ = m.Write([]byte("x\r\n"))
					end.Go(func() {
						defer m.Close()
						m.CommitSets(context.Background(), Sets{Of: [][]int{{0, 1}}}, func(copy int, err error) {
							outcomes[i][copy] = err
						})
					})
				}
				time.Sleep(soon)
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				began := time.Now()
				other := begin(s)
				other.Add(Dest{Root: elsewhere, Path: "other"}, nil)
				_, _ = other.Write([]byte("x\r\n"))
				other.Commit(ctx, func(_ int, err error) {
					if err != nil || time.Since(began) > 0 {
						t.Errorf("a copy elsewhere: %v after %v", err, time.Since(began))
					}
				})
				other.Close()
				close(lifted)
				end.Wait()
				for i := range sets {
					for copy, err := range outcomes[i] {
						to, want := dests[i][copy].String(), 0
						if err == nil {
							want = 1
						} else if !errors.Is(err, ErrHangs) && !errors.Is(err, ErrTogether) {
							t.Errorf("set %d: %v", i, err)
						}
						if n, left := len(in(t, to, "new")), in(t, to, "tmp"); n != want || left != nil {
							t.Errorf("%s has %d messages after the end, and %q: %v", to, n, left, err)
						}
					}
				}
			})
		})
	}
}

// TestTogetherIsBounded: copies that go together keep no more Maildirs open than they may, all messages together. A set
// that is too large fails, another of its message goes; messages wait for one another, no longer than they may.
func TestTogetherIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := scratch(t)
		sys := newProbe()
		held := make(chan struct{})
		sys.before = func(_ int, c callOf) error {
			if c.name == "rename" && strings.Contains(c.path, "/held0/") {
				<-held
			}
			return nil
		}
		s := open(t, Options{Create: true, Together: 50}, sys)
		names := func(of string, n int) (names []string, set []int) {
			for i := range n {
				names, set = append(names, fmt.Sprint(of, i)), append(set, i)
			}
			return names, set
		}
		large, all := names("large", 51)
		outcomes := inSetsOf(t.Context(), t, s, root, append(large, "alone"), Sets{Of: [][]int{all, {3}, {51}}})
		for name, err := range outcomes {
			stays := name == "large3" || name == "alone"
			if stays != (err == nil) || !stays && !errors.Is(err, ErrTooManyTogether) {
				t.Errorf("%s: %v", name, err)
			}
		}

		var over sync.WaitGroup
		deliver := func(ctx context.Context, of string, n int, want error) {
			over.Go(func() {
				boxes, set := names(of, n)
				for name, err := range inSetsOf(ctx, t, s, root, boxes, Sets{Of: [][]int{set}}) {
					if !errors.Is(err, want) {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
			synctest.Wait()
		}
		deliver(t.Context(), "held", 33, nil)
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		deliver(brief, "brief", 33, context.DeadlineExceeded)
		deliver(t.Context(), "patient", 33, nil)
		deliver(t.Context(), "few", fewTogether, nil)
		if len(in(t, root, "few0", "new")) != 1 || len(in(t, root, "patient0", "new")) != 0 {
			t.Error("the few wait, or the many do not")
		}
		time.Sleep(time.Second)
		close(held)
		over.Wait()
		if left := sys.leaks(); left != nil {
			t.Errorf("left open: %q", left)
		}
	})
}
