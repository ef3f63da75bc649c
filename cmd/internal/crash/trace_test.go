package crash

import (
	"bufio"
	"os"
	"regexp"
	"strings"
	"testing"
)

// A syscallEvent is one system call of a trace by strace -f -y: where in the trace it begins and
// ends, and what strace wrote of it. Descriptors are written 7</path>.
type syscallEvent struct {
	name, args, result string
	begin, end         int
}

var (
	wholeCall   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (.*)$`)
	begunCall   = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumedCall = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.*)$`)
)

// readTrace reads the calls of a trace in the order of their beginning. One that never ended has
// the end 0.
func readTrace(t *testing.T, path string) (events []*syscallEvent) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	running := map[string]*syscallEvent{} // by thread
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if m := wholeCall.FindStringSubmatch(line); m != nil {
			events = append(events, &syscallEvent{m[2], m[3], m[4], n, n})
		} else if m := begunCall.FindStringSubmatch(line); m != nil {
			running[m[1]] = &syscallEvent{name: m[2], args: m[3], begin: n}
			events = append(events, running[m[1]])
		} else if m := resumedCall.FindStringSubmatch(line); m != nil && running[m[1]] != nil {
			e := running[m[1]]
			e.args, e.result, e.end = e.args+m[3], m[4], n
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return events
}

// ok reports whether the call has ended well.
func (e *syscallEvent) ok() bool { return e.end > 0 && e.result == "0" }

// on reports whether the call is one on the descriptor of a path alone.
func (e *syscallEvent) on(path string) bool { return strings.HasSuffix(e.args, "<"+path+">") }

// syncedBetween reports whether a path was synced, by a call that began after one place in the
// trace and ended ahead of another.
func syncedBetween(events []*syscallEvent, path string, after, before int) bool {
	for _, e := range events {
		if e.name == "fsync" && e.ok() && e.on(path) && e.begin > after && e.end < before {
			return true
		}
	}
	return false
}

// A parser that sees nothing would find nothing wrong.
func TestReadTrace(t *testing.T) {
	path := t.TempDir() + "/trace"
	trace := `10 mkdirat(7</m>, "u", 0700)    = 0
11 fsync(9</m/u/new> <unfinished ...>
10 renameat2(8</m/u/tmp>, "x", 9</m/u/new>, "x,S=1", RENAME_NOREPLACE) = -1 EEXIST (File exists)
11 <... fsync resumed>)             = 0
12 fsync(9</m/u/new> <unfinished ...>
10 +++ exited with 0 +++
`
	if err := os.WriteFile(path, []byte(trace), 0o600); err != nil {
		t.Fatal(err)
	}
	events := readTrace(t, path)
	if len(events) != 4 || !events[0].ok() || events[2].ok() || events[3].ok() ||
		*events[1] != (syscallEvent{"fsync", "9</m/u/new>", "0", 2, 4}) {
		t.Errorf("read %+v", events)
	}
	for _, tt := range []struct {
		path          string
		after, before int
		want          bool
	}{{"/m/u/new", 1, 5, true}, {"/m/u/new", 2, 5, false}, {"/m/u/new", 1, 4, false}, {"/u/new", 1, 5, false}} {
		if got := syncedBetween(events, tt.path, tt.after, tt.before); got != tt.want {
			t.Errorf("%s synced between %d and %d: %v", tt.path, tt.after, tt.before, got)
		}
	}
}
