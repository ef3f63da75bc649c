package mailbox

import (
	"context"
	"fmt"
	"github.com/doorstep-mail/doorstep/mailbox/internal/kernel"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	reader "github.com/emersion/go-maildir"
	"github.com/google/go-cmp/cmp"
)

var durabilities = []Durability{Group, Each, None}

func TestDeliver(t *testing.T) {
	const header = "Return-Path: <a@example.org>\r\n"
	for _, tt := range []struct {
		name    string
		crlf    bool
		content string
		want    string
	}{
		{"LF store", false, "Subject: x\r\n\r\nhello\r\n", "Return-Path: <a@example.org>\nSubject: x\n\nhello\n"},
		{"CRLF store", true, "Subject: x\r\n\r\nhello\r\n", header + "Subject: x\r\n\r\nhello\r\n"},
		{"CHUNK-12 LF store, last line without end", false, "Subject: x\r\n\r\nhello",
			"Return-Path: <a@example.org>\nSubject: x\n\nhello\n"},
		{"CHUNK-12 CRLF store, last line without end", true, "Subject: x\r\n\r\nhello", header + "Subject: x\r\n\r\nhello"},
		{"empty", false, "", "Return-Path: <a@example.org>\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, durability := range durabilities {
				to := Dest{Root: t.TempDir(), Path: "example.org/u"}
				s := open(t, Options{Create: true, CRLF: tt.crlf, Durability: durability}, kernel.Linux{})
				m := begin(s)
				if n := m.Add(to, []byte(header)); n != 0 {
					t.Fatalf("first copy has number %d", n)
				}
				if _, err := m.Write([]byte(tt.content)); err != nil {
					t.Fatal(err)
				}
				if err := commit(t, m, 1)[0]; err != nil {
					t.Fatal(err)
				}
				if m.Size() != int64(len(tt.content)) {
					t.Errorf("Size %d, want %d", m.Size(), len(tt.content))
				}
				if diff := cmp.Diff([]string{tt.want}, mails(t, to)); diff != "" {
					t.Errorf("%v: new/ (-want +got):\n%s", durability, diff)
				}
				if names := in(t, to.String(), "new"); names[0] != m.Name(0) {
					t.Errorf("Name %q, file %q", m.Name(0), names[0])
				}
				wire := strings.ReplaceAll(strings.ReplaceAll(tt.want, "\r\n", "\n"), "\n", "\r\n")
				if sizes := fmt.Sprintf(",S=%d,W=%d", len(tt.want), len(wire)); !strings.HasSuffix(m.Name(0), sizes) {
					t.Errorf("MDIR-08: %q does not end in %q", m.Name(0), sizes)
				}
				if left := in(t, to.String(), "tmp"); left != nil {
					t.Errorf("left in tmp/: %q", left)
				}
			}
		})
	}
}

// The order is what a 250 stands for (MDIR-05, LMTP-07).
func TestOrder(t *testing.T) {
	synced := map[Durability]bool{Group: true, Each: true, None: false}
	for _, durability := range durabilities {
		for _, size := range []int{100, 3 * largeBuffer} {
			t.Run(fmt.Sprintf("MDIR-05 %v %d octets", durability, size), func(t *testing.T) {
				sys := newProbe()
				s := open(t, Options{Create: true, Durability: durability}, sys)
				to := Dest{Root: t.TempDir(), Path: "u"}
				content, _ := lines(size)
				send(t, s, "first\r\n", to) // makes the Maildir
				sys.take()

				m := begin(s)
				m.Add(to, nil)
				if _, err := m.Write([]byte(content)); err != nil {
					t.Fatal(err)
				}
				m.Commit(context.Background(), func(int, error) { _ = sys.note("done", -1, "") })
				var got []string
				for _, c := range sys.take() {
					c.path = strings.TrimPrefix(c.path, to.Root)
					c.path = strings.TrimPrefix(c.path, "/u")
					switch {
					case c.name == "done", c.name == "fsync", c.name == "rename":
					case c.name == "writev" && !slices.Contains(got, "writev tmp"):
					case c.name == "close" && strings.Contains(c.path, "/tmp/"):
					default:
						continue
					}
					step := c.name
					if len(c.path) >= len("/tmp") {
						step += " " + c.path[1:len("/tmp")]
					}
					got = append(got, step)
				}
				want := []string{"writev tmp", "fsync tmp", "close tmp", "rename new", "fsync new", "done"}
				if !synced[durability] {
					want = []string{"writev tmp", "close tmp", "rename new", "done"}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// Many sessions and one Maildir, read by another's code.
func TestConcurrent(t *testing.T) {
	const sessions, each = 8, 2000
	to := Dest{Root: t.TempDir(), Path: "u"}
	s := open(t, Options{Create: true}, kernel.Linux{})
	var wg sync.WaitGroup
	for session := range sessions {
		wg.Go(func() {
			for n := range each {
				if err := send(t, s, fmt.Sprintf("Subject: %d/%d\r\n\r\n", session, n), to)[0]; err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()

	dir := reader.Dir(to.String())
	unseen, err := dir.Unseen()
	if err != nil {
		t.Fatal(err)
	}
	if len(unseen) != sessions*each {
		t.Fatalf("MDIR-02: %d messages, want %d", len(unseen), sessions*each)
	}
	seen := make(map[string]bool)
	err = dir.Walk(func(msg *reader.Message) error {
		b, err := os.ReadFile(msg.Filename())
		if err == nil {
			seen[string(b)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for session := range sessions {
		for n := range each {
			if content := fmt.Sprintf("Subject: %d/%d\n\n", session, n); !seen[content] {
				t.Fatalf("%q is missing", content)
			}
		}
	}
}

func TestAllocations(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "example.org/u"}
	content, _ := lines(5000)
	p, header := []byte(content), []byte("Return-Path: <a@example.org>\r\n")
	s := open(t, Options{Create: true}, kernel.Linux{})
	done := func(_ int, err error) {
		if err != nil {
			t.Error(err)
		}
	}
	got := testing.AllocsPerRun(200, func() {
		c := s.NewContent()
		defer c.Close()
		if _, err := c.Write(p); err != nil {
			t.Error(err)
		}
		c.Deliver(Copy{To: to, Header: header}).Commit(context.Background(), done)
	})
	t.Logf("%v allocations", got)
	if got >= 15 {
		t.Errorf("a small delivery makes %v allocations, want fewer than 15", got)
	}
}

func TestClose(t *testing.T) {
	to := Dest{Root: t.TempDir(), Path: "u"}
	s := open(t, Options{Create: true}, kernel.Linux{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := send(t, s, "late\r\n", to)[0]; err == nil {
		t.Error("delivered by a closed store")
	}
	if left, _ := filepath.Glob(to.Root + "/*"); left != nil {
		t.Errorf("left behind: %q", left)
	}
}
