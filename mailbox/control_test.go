package mailbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/doorstep-mail/doorstep/mailbox/powercut"
)

// By the letter of the standard every copy survives a power cut at the moment of its report, and
// no file is ever visible with less than all its octets durable. Each sync is needed for that:
// without any one of them the same book has copies that are lost.
func TestEverySyncIsNeeded(t *testing.T) {
	const messages = 5
	for _, o := range []Options{{Create: true}, {Create: true, Durability: Each}, {Create: true, SingleCopy: true}} {
		for i, tt := range forgettable {
			t.Run(fmt.Sprintf("LMTP-07 %v, single copy %v, %s", o.Durability, o.SingleCopy, tt.name), func(t *testing.T) {
				book := newLedger(tt.forget)
				s := open(t, o, book)
				root := scratch(t)
				reports, lost := 0, 0
				var mu sync.Mutex
				var wg sync.WaitGroup
				for session := range 8 {
					wg.Go(func() {
						for n := range messages {
							wire, _ := lines(100 + n*largeBuffer/2) // the last is too large for memory
							sets := [][][]int{nil, {{0, 1}}, {{0}, {0, 1}}}[n%3]
							deliverIn(s, sets, wire, func(path string) {
								mu.Lock()
								defer mu.Unlock()
								reports++
								if !book.survives(path) {
									lost++
								}
							}, []Dest{{Root: root, Path: fmt.Sprintf("d%d/u%d", n%3, session/2)},
								{Root: root, Path: fmt.Sprintf("shared%d", n)}})
						}
					})
				}
				wg.Wait()
				t.Logf("%d reported, %d would be lost, %d visible before they are whole", reports, lost, len(book.torn))
				if reports != 8*messages*2 {
					t.Errorf("%d reports", reports)
				}
				if control := i > 0; (lost > 0) != control {
					t.Errorf("%d of %d reported copies would be lost in a power cut", lost, reports)
				}
				if !tt.forget("", false) && len(book.torn) > 0 {
					t.Errorf("visible before they are whole: %.3q", book.torn)
				}
			})
		}
	}
}

// deliver delivers one message and reports the path of each copy that is stored. The error is that
// of one that is not.
func deliver(s *Store, wire string, stored func(path string), dests ...Dest) (failed error) {
	return deliverIn(s, nil, wire, stored, dests)
}

// deliverIn is deliver for copies in sets, if there are any.
func deliverIn(s *Store, sets [][]int, wire string, stored func(path string), dests []Dest) (failed error) {
	m := begin(s)
	defer m.Close()
	for _, d := range dests {
		m.Add(d, nil)
	}
	_, _ = m.Write([]byte(wire)) // its error is every copy's
	var mu sync.Mutex
	done := func(i int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = err
			return
		}
		stored(filepath.Join(dests[i].String(), "new", m.Name(i)))
	}
	if sets == nil {
		m.Commit(context.Background(), done)
	} else {
		m.CommitSets(context.Background(), Sets{Of: sets}, done)
	}
	return failed
}

// The same on real file systems, whose power is cut: with all syncs nothing is lost, and without
// that of the file or of the directory mail is. The parents' cannot be missed there: these file
// systems keep one journal, in which a directory is made before anything in it.
func TestPowerCutControls(t *testing.T) {
	kinds := []powercut.FileSystem{powercut.Ext4}
	long := longCrash()
	if long {
		kinds = powercut.FileSystems
	}
	powercut.Need(t, kinds...)
	if !powercut.Alone(t) {
		return
	}
	for _, kind := range kinds {
		for i, tt := range forgettable {
			t.Run(kind.Name+" "+tt.name, func(t *testing.T) {
				const everySync, parents, most = 0, 3, 8
				if i == parents && !long {
					t.Skip("proves nothing here, as said; make crash counts it")
				}
				lost, torn, cuts := 0, 0, 0
				for cuts < most && lost+torn == 0 {
					a, l, n := cutWithout(t, kind, plainSetting, tt.forget)
					lost, torn, cuts = lost+l, torn+n, cuts+1
					t.Logf("%s, %s, cut %d: %d reported, %d lost, %d torn", kind.Name, tt.name, cuts, a, l, n)
					if i == everySync && cuts == 2 || i == parents && cuts == 5 {
						break
					}
				}
				switch {
				case i == everySync && lost+torn > 0:
					t.Errorf("%d lost, %d torn", lost, torn)
				case i != everySync && i != parents && lost == 0:
					t.Errorf("the harness does not notice: %d cuts lost nothing", cuts)
				}
			})
		}
	}
}

// cutWithout delivers on a new file system from several goroutines until its power is cut, and
// counts the copies that were reported before and are not there, whole, and the files in new/
// that are less than whole.
func cutWithout(
	t *testing.T, kind powercut.FileSystem, set crashSetting, forget func(string, bool) bool,
) (reported, lost, torn int) {
	t.Helper()
	v := powercut.New(t, kind)
	set.makeHomes(t, v.Dir)
	s := open(t, set.options(), newLedger(forget))
	acked := map[string]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	cutAt := 20 + rand.IntN(100)
	for session := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				text := strings.Repeat(fmt.Sprintf("%d/%d\n", session, n), 1+rand.IntN(1000)) + "end\n"
				var dests []Dest
				for i := range set.copies {
					dests = append(dests, set.dest(v.Dir, n+i/2, fmt.Sprintf("u%d", session/2+i)))
				}
				err := deliver(s, strings.ReplaceAll(text, "\n", "\r\n"), func(path string) {
					mu.Lock()
					defer mu.Unlock()
					select {
					case <-v.Disk.Dead(): // nobody would hear it
					default:
						acked[path] = text
						if len(acked) == cutAt/2 {
							set.writeBack(t, v.Dir)
						}
						if len(acked) == cutAt {
							v.Disk.Cut() // the moment at which most depends on the syncs
						}
					}
				}, dests...)
				if err != nil && !errors.Is(err, ErrOverQuota) {
					return
				}
				select {
				case <-v.Disk.Dead():
					return
				default:
				}
			}
		})
	}
	wg.Wait()
	v.PowerOn(t)
	for path, want := range acked {
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			lost++
		}
	}
	files, err := filepath.Glob(filepath.Join(v.Dir, "*/*/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if b, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(b), "end\n") {
			torn++
		}
	}
	set.checkQuotas(t, v.Dir)
	return len(acked), lost, torn
}
