package mailbox

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// childRoot and childSetting, when set, make the test binary a delivery process that never ends by
// itself.
const (
	childRoot    = "MAILBOX_TEST_CHILD_ROOT"
	childSetting = "MAILBOX_TEST_CHILD_SETTING" // the name of a crashSetting
)

func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		for _, set := range crashSettings {
			if set.name == os.Getenv(childSetting) {
				deliverForEver(root, set)
			}
		}
	}
	os.Exit(m.Run())
}

// deliverForEver delivers small and large mail from several goroutines into several Maildirs
// and prints the path of each file once it is reported as stored.
func deliverForEver(root string, set crashSetting) {
	o := set.options()
	o.Host = "child"
	s, err := New(o)
	if err != nil {
		panic(err)
	}
	var out sync.Mutex
	for worker := range 4 {
		go func() {
			for n := 0; ; n++ {
				text := strings.Repeat(fmt.Sprintf("message %d of worker %d\r\n", n, worker), 1+rand.IntN(300))
				if n%8 == 7 {
					text = strings.Repeat(text, 1+2*largeBuffer/len(text))
				}
				m := begin(s)
				dests := []Dest{set.dest(root, worker, "own")}
				for i := range set.copies {
					dests = append(dests, set.dest(root, n+i, "shared"))
				}
				for _, d := range dests {
					m.Add(d, nil)
				}
				_, _ = m.Write([]byte(text)) // its error is every copy's
				sum := sha256.Sum256([]byte(strings.ReplaceAll(text, "\r\n", "\n")))
				_, _ = m.Write(fmt.Appendf(nil, "%x\r\n", sum))
				m.Commit(context.Background(), func(i int, err error) {
					out.Lock()
					defer out.Unlock()
					switch {
					case err == nil:
						fmt.Println(filepath.Join(dests[i].String(), "new", m.Name(i)))
					case !errors.Is(err, ErrOverQuota):
						fmt.Println("error", err)
					}
				})
			}
		}()
	}
	select {}
}

// A process killed at any moment has lost nothing that it reported, and nothing in any new/ is
// less than whole.
func TestKilled(t *testing.T) {
	for _, set := range crashSettings {
		t.Run("LMTP-07 "+set.name, func(t *testing.T) {
			set.need(t)
			rounds := 5
			if longCrash() {
				rounds = 50
			}
			root, acked := rootForChildren(t, set), make(map[string]bool)
			reported, found := 0, 0
			for range rounds {
				killOnce(t, set, root, acked)
				if set.quota == (Quota{}) {
					continue
				}
				// The next round has mailboxes of its own: these are full.
				reported, found = reported+len(acked), found+judge(t, root, acked)
				set.checkQuotas(t, root)
				root, acked = rootForChildren(t, set), make(map[string]bool)
			}
			reported, found = reported+len(acked), found+judge(t, root, acked)
			if reported < rounds {
				t.Errorf("only %d reports in %d rounds", reported, rounds)
			}
			t.Logf("%s: %d kills, %d reported, %d in new/", set.name, rounds, reported, found)
		})
	}
}

// rootForChildren makes a mail root that other users may pass.
func rootForChildren(t *testing.T, set crashSetting) string {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "killed")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	set.makeHomes(t, root)
	return root
}

// killOnce kills a process after some reports, in the middle of others, and notes all that it
// reported.
func killOnce(t *testing.T, set crashSetting, root string, acked map[string]bool) {
	t.Helper()
	killAfter := 1 + rand.IntN(60)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childRoot+"="+root, childSetting+"="+set.name)
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(stdout)
	for n := 0; ; n++ {
		if n == killAfter {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := in.ReadString('\n')
		if err == io.EOF {
			break // a line cut off was not read
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "error") {
			t.Error(line)
		}
		acked[strings.TrimSuffix(line, "\n")] = true
	}
	_ = child.Wait() // "signal: killed"
}

// judge looks at every file in a new/ below root, and returns how many there are.
func judge(t *testing.T, root string, acked map[string]bool) (found int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*/*/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		end := len(b) - 2*sha256.Size - 1
		if end < 0 || fmt.Sprintf("%x\n", sha256.Sum256(b[:end])) != string(b[end:]) {
			t.Errorf("LMTP-07: %s is not whole (%d octets)", filepath.Base(path), len(b))
		}
		if acked[path] {
			stored++
		}
	}
	if stored != len(acked) {
		t.Errorf("LMTP-07: %d reported as stored, %d of them found", len(acked), stored)
	}
	return len(files)
}
