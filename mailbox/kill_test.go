package mailbox

import (
	"bufio"
	"context"
	"crypto/sha256"
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

// childRoot, when set, makes the test binary a delivery process that never ends by itself.
const childRoot = "MAILBOX_TEST_CHILD_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		deliverForEver(root)
	}
	os.Exit(m.Run())
}

// deliverForEver delivers small and large mail from several goroutines into several Maildirs
// and prints the path of each file once it is reported as stored.
func deliverForEver(root string) {
	s, err := New(Options{Create: true, Host: "child"})
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
				m := s.NewMessage()
				dests := []Dest{{Root: root, Path: fmt.Sprintf("d/u%d", worker)}, {Root: root, Path: fmt.Sprintf("d/shared%d", n%3)}}
				for _, d := range dests {
					m.Add(d, nil)
				}
				_, _ = m.Write([]byte(text)) // its error is every copy's
				sum := sha256.Sum256([]byte(strings.ReplaceAll(text, "\r\n", "\n")))
				_, _ = m.Write(fmt.Appendf(nil, "%x\r\n", sum))
				m.Commit(context.Background(), func(i int, err error) {
					out.Lock()
					defer out.Unlock()
					if err != nil {
						fmt.Println("error", err)
						return
					}
					fmt.Println(filepath.Join(dests[i].Path, "new", m.Name(i)))
				})
			}
		}()
	}
	select {}
}

// A process killed at any moment has lost nothing that it reported, and nothing in any new/ is
// less than whole.
func TestKilled(t *testing.T) {
	const rounds = 20
	root := t.TempDir()
	acked := make(map[string]bool)
	for range rounds {
		// A round ends after so many reports: the kill falls into the middle of the others.
		killAfter := 1 + rand.IntN(60)
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childRoot+"="+root)
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
				break // a line cut off was not read by anybody
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
	if len(acked) < rounds {
		t.Fatalf("only %d reports in %d rounds", len(acked), rounds)
	}

	stored := 0
	files, err := filepath.Glob(filepath.Join(root, "d/*/new/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		end := len(b) - 2*sha256.Size - 1
		if end < 0 || fmt.Sprintf("%x\n", sha256.Sum256(b[:end])) != string(b[end:]) {
			t.Errorf("LMTP-07: %s is not whole (%d octets)", filepath.Base(path), len(b))
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		if acked[rel] {
			stored++
		}
	}
	if stored != len(acked) {
		t.Errorf("LMTP-07: %d reported as stored, %d of them found", len(acked), stored)
	}
	t.Logf("%d reported, %d in new/", len(acked), len(files))
}
