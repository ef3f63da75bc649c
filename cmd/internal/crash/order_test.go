package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// TestOrder is R3: what the program asks the kernel for, in which order, seen from outside. For
// each copy: the file is synced, then renamed into new/, then new/ is synced, then its 250 is
// written. For each directory made on the way: its parent is synced before the 250.
func TestOrder(t *testing.T) {
	strace := needStrace(t)
	for _, durability := range []string{"group", "each"} {
		t.Run("MDIR-05 "+durability, func(t *testing.T) {
			wrong, copies, made := traceDeliveries(t, strace, durability)
			if len(wrong) > 0 {
				t.Errorf("%d of %d: %.5q", len(wrong), copies, wrong)
			}
			t.Logf("%d copies and %d directories in order", copies, made)
		})
	}
	t.Run("control", func(t *testing.T) {
		wrong, copies, made := traceDeliveries(t, strace, "none")
		if len(wrong) != 2*copies+made {
			t.Errorf("without syncs there are %d copies, %d new directories, and %d complaints: %q", copies, made, len(wrong),
				wrong)
		}
	})
}

func needStrace(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err == nil {
		err = exec.Command(path, "-f", "-o", os.DevNull, "true").Run() // a sandbox may forbid it
	}
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		t.Fatalf("needs strace (Debian package strace): %v", err)
	}
	t.Skipf("needs strace (Debian package strace): %v", err)
	return ""
}

// renameCall takes apart the arguments of renameat2 into Maildir, name in tmp/, and name in new/.
var renameCall = regexp.MustCompile(`^\d+<(.*)/tmp>, "(.*)", \d+<(.*)/new>, "(.*)", RENAME_NOREPLACE$`)

// mkdirCall takes apart the arguments of mkdirat into parent and name.
var mkdirCall = regexp.MustCompile(`^\d+<(.*)>, "(.*)", 0\d+$`)

// traceDeliveries delivers a few messages through a server under strace, and holds the trace
// against the rules.
func traceDeliveries(t *testing.T, strace, durability string) (wrong []string, copies, made int) {
	t.Helper()
	// a tracer is no guest
	s := openSite(t, filepath.Join(ownDir(t), "mail"),
		fmt.Sprintf("durability = %q\n[sandbox]\nenabled = false", durability))
	trace := filepath.Join(s.dir, "trace")
	p := s.start(t, strace, "-D", "-f", "-y", "-qq", "-s", "4096", "-o", trace, "-e",
		"trace=fsync,fdatasync,mkdirat,renameat2,write,writev,sendto")
	recipients := map[messageID][]int{}
	for n := range 8 {
		id := messageID{0, n}
		recipients[id] = []int{n, n + 1, 20} // an old Maildir, a new one, one for all
		for _, code := range one(t, s, id, recipients[id]...) {
			if code != 250 {
				t.Fatalf("reply %d", code)
			}
		}
	}
	stop(t, p)
	// strace ends after the program it watches.
	peer.Await(t, 30*time.Second, "the end of the trace", func() bool {
		b, err := os.ReadFile(trace)
		return err == nil && strings.Contains(string(b), `msg=stopped`)
	})

	events := readTrace(t, trace)
	replied := map[copyID]int{} // where in the trace its 250 is written
	first := map[int]int{}      // where the first 250 for a user is
	ids := transactions(t, s.store)
	for _, e := range events {
		if !strings.Contains(e.args, "<UNIX") && !strings.Contains(e.args, "<socket") {
			continue
		}
		for transaction, id := range ids {
			for range strings.Count(e.args, "250 2.0.0 "+transaction+" delivered") {
				user := recipients[id][0]
				recipients[id] = recipients[id][1:]
				replied[copyID{id, user}] = e.begin
				if first[user] == 0 {
					first[user] = e.begin
				}
			}
		}
	}
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, e := range events {
		if m := mkdirCall.FindStringSubmatch(e.args); e.name == "mkdirat" && e.ok() && m != nil {
			made++
			user := userOf(t, s.store, filepath.Join(m[1], m[2]))
			if !syncedBetween(events, m[1], e.end, first[user]) {
				complain("%s is made, and its parent not synced", filepath.Join(m[1], m[2]))
			}
		}
		m := renameCall.FindStringSubmatch(e.args)
		if e.name != "renameat2" || !e.ok() || m == nil {
			continue
		}
		copies++
		b, err := os.ReadFile(filepath.Join(m[3], "new", m[4]))
		if err != nil {
			t.Fatal(err)
		}
		user := userOf(t, s.store, m[3])
		id, _ := recognize(string(b), user)
		if !syncedBetween(events, filepath.Join(m[1], "tmp", m[2]), 0, e.begin) {
			complain("%s is renamed, and was not synced", m[2])
		}
		if !syncedBetween(events, filepath.Join(m[3], "new"), e.end, replied[copyID{id, user}]) {
			complain("%s is acknowledged, and its directory not synced", m[2])
		}
	}
	if copies != len(replied) || copies == 0 || made == 0 {
		t.Errorf("%d copies, %d directories, %d replies in the trace", copies, made, len(replied))
	}
	return wrong, copies, made
}

var receivedID = regexp.MustCompile(`\sid (\S+)\s`)

// transactions returns the message of each transaction, by the id that trace fields and replies
// have.
func transactions(t *testing.T, store string) map[string]messageID {
	t.Helper()
	ids := map[string]messageID{}
	for user := range users {
		files, err := filepath.Glob(filepath.Join(maildir(store, user), "new", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			id, ok := recognize(string(b), user)
			m := receivedID.FindSubmatch(b)
			if !ok || m == nil {
				t.Fatalf("%s is no message of ours", file)
			}
			ids[string(m[1])] = id
		}
	}
	return ids
}

// userOf returns the user to whom a directory below the store belongs.
func userOf(t *testing.T, store, dir string) (user int) {
	t.Helper()
	if _, err := fmt.Sscanf(strings.TrimPrefix(dir, store+"/"), "u%03d", &user); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return user
}
