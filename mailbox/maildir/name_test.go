package maildir

import (
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNameForm(t *testing.T) {
	now := time.Unix(1795456214, 76753000)
	name := WithSizes(NewNamer("mx.example.org").Next(now), Sizes{100, 7})
	form := regexp.MustCompile(`^1795456214\.M76753P\d+Q1R[0-9a-f]{16}\.mx\.example\.org,S=100,W=107$`)
	if !form.MatchString(name) {
		t.Errorf("MDIR-02: %q does not match %v", name, form)
	}
	if !IsOwn(name) {
		t.Error("the sweeper does not know the name")
	}
	if name := NewNamer("h").Next(time.Unix(-5, 0)); !strings.HasPrefix(name, "0.M0P") {
		t.Errorf("a clock before 1970 gives %q", name)
	}
}

func TestNameHost(t *testing.T) {
	for host, want := range map[string]string{
		"mx1.example.org": "mx1.example.org",
		"a/b:c":           `a\057b\072c`,
		"a,S=1":           `a\054S=1`,
		"../x\x00\n":      `..\057x\000\012`,
	} {
		if got := escapeHost(host); got != want {
			t.Errorf("MDIR-02: %q becomes %q, want %q", host, got, want)
		}
	}
	n := NewNamer(strings.Repeat("/", 5000))
	n.pid = math.MaxInt32
	n.seq.Store(math.MaxUint64 - 1)
	name := WithSizes(n.Next(time.Unix(99999999999, 999999000)), Sizes{math.MaxInt64 / 2, math.MaxInt64 / 2})
	if len(name) > 255 {
		t.Errorf("MDIR-02: the longest name has %d octets", len(name))
	}
	if !regexp.MustCompile(`\.(\\057)+,S=`).MatchString(name) {
		t.Errorf("an escape was cut: %q", name)
	}
}

// Two processes with one process number, both just started, at one moment.
func TestNamesDiffer(t *testing.T) {
	const workers, each = 4, 12500
	now := time.Unix(1795456214, 0)
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 2 {
		n := NewNamer("h")
		for range workers {
			wg.Go(func() {
				names := make([]string, each)
				for i := range names {
					names[i] = n.Next(now)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, name := range names {
					seen[name] = true
				}
			})
		}
	}
	wg.Wait()
	if len(seen) != 2*workers*each {
		t.Errorf("MDIR-02: %d different names of %d", len(seen), 2*workers*each)
	}
}
