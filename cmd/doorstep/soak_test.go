package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/cmd/internal/peer"
)

// A vital is what a server holds at one time.
type vital struct {
	files, goroutines int
	threads           int
	resident          int // KiB
}

// vitals asks the kernel, and the server itself by its metrics.
func vitals(t *testing.T, dir string, pid int) (v vital) {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	v.files = len(fds)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	number := func(text, pattern string) int {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s", pattern)
		}
		n, _ := strconv.Atoi(m[1]) // digits
		return n
	}
	v.resident, v.threads = number(string(status), `VmRSS:\s+(\d+)`), number(string(status), `Threads:\s+(\d+)`)
	_, text := ask(t, dir, "/metrics")
	v.goroutines = number(text, `(?m)^go_goroutines (\d+)`)
	return v
}

// settled is what a server holds when it has noticed that its clients have gone.
func settled(t *testing.T, dir string, pid int) vital {
	t.Helper()
	v := vitals(t, dir, pid)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		next := vitals(t, dir, pid)
		if next.files == v.files && next.goroutines <= v.goroutines {
			return next
		}
		v = next
	}
	return v
}

// wantNoMoreThan wants nothing to have grown since before.
func (after vital) wantNoMoreThan(t *testing.T, before vital) {
	t.Helper()
	if after.files > before.files+4 {
		t.Errorf("descriptors: %d, then %d", before.files, after.files)
	}
	if after.goroutines > before.goroutines+10 {
		t.Errorf("goroutines: %d, then %d", before.goroutines, after.goroutines)
	}
	if after.threads > before.threads+40 {
		t.Errorf("threads: %d, then %d", before.threads, after.threads)
	}
	if after.resident > 2*before.resident+(32<<10) {
		t.Errorf("memory: %d KiB, then %d KiB", before.resident, after.resident)
	}
}

// TestSoak keeps a server busy, with clients that behave and clients that do not, and with reloads;
// what it holds must not grow. "make soak" does so for ten minutes.
func TestSoak(t *testing.T) {
	peer.Need(t, "smtp-source")
	duration := 4 * time.Second
	if os.Getenv("DOORSTEP_SOAK") == "long" {
		duration = 10 * time.Minute
	}
	dir := place(t)
	config := controlled("[admin]\naddress = \"unix:admin\"\n")
	s := serveConfig(t, dir, config)
	pid := s.cmd.Process.Pid
	round := func(n int) {
		good := startLoad(t, "-L", "-s", "8", "-m", "200", "-l", "4000", "-t", "alice@example.org",
			"unix:"+filepath.Join(dir, "lmtp"))
		for range 10 { // gone in the middle of the data, of a command, of a reply
			rude := session(t, dir)
			rude.begin("bob")
			rude.send("Subject: never finished\r\n\r\nHello")
			rude.conn.Close()
			rude = session(t, dir)
			rude.say("RCPT TO:<alice@example.org>", "503 5.5.1")
			rude.say("MAIL FROM:<a@src.example>", "250 2.1.0")
			rude.say("RCPT TO:<nobody@example.org>", "550 5.1.1")
			rude.send("MAIL FR")
			rude.conn.Close()
		}
		rewrite(t, dir, config+fmt.Sprintf("\n[log]\nlevel = \"warn\"\n[[user]]\naddress = \"new%d@example.org\"\n", n))
		if out, errs, code := doorstep(t, dir, "reload", "-c", "doorstep.toml"); code != 0 {
			t.Fatal(out, errs)
		}
		good.wait(t)
		if got := len(names(t, filepath.Join(maildir(dir, "alice"), "new"))); got != 200 {
			t.Fatalf("round %d: %d messages, want 200", n, got)
		}
		if got := names(t, filepath.Join(maildir(dir, "bob"), "new")); len(got) > 0 {
			t.Fatalf("round %d: a message that was never finished is there: %q", n, got)
		}
		removeAll(t, dir)
	}
	round(0)
	round(1)
	before := settled(t, dir, pid)
	rounds := 0
	for end := time.Now().Add(duration); time.Now().Before(end); rounds++ {
		round(rounds + 2)
	}
	after := settled(t, dir, pid)
	t.Logf("%d rounds of 200 messages, in %s: before %+v, after %+v", rounds, duration, before, after)
	after.wantNoMoreThan(t, before)
	if log := s.log.String(); strings.Contains(log, "level=ERROR") {
		t.Error("errors in the log")
	}
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
