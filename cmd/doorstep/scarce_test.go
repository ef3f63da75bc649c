package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doorstep-mail/doorstep/lmtp/client"
	"github.com/doorstep-mail/doorstep/lmtp/lmtptest"
)

// A machine that runs short of something.

// TestNoDescriptorsLeft is R17: more connections than the server may have descriptors. Those beyond are refused, which
// the log announced at the start, and what is left is for deliveries.
func TestNoDescriptorsLeft(t *testing.T) {
	dir := place(t)
	if err := os.WriteFile(filepath.Join(dir, "doorstep.toml"), []byte(plainConfig("")), 0o600); err != nil {
		t.Fatal(err)
	}
	const few = "ulimit -n 64; exec doorstep "
	const says = "this process may have 64 descriptors and any number of threads: 24 connections are taken"
	out, err := exec.Command("sh", "-c", few+"check -c "+filepath.Join(dir, "doorstep.toml")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "doorstep.toml: limits.connections: warning: "+says) {
		t.Errorf("check says %q, %v", out, err)
	}
	s := &server{dir: dir, cmd: exec.Command("sh", "-c", few+"serve -c doorstep.toml")}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.awaitLog(t, "msg=listening")
	s.awaitLog(t, says)
	first := session(t, dir)
	first.deliver("before", "alice")
	var held []net.Conn
	for range 200 {
		conn, err := net.Dial("unix", filepath.Join(dir, "lmtp"))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
	}
	s.awaitLog(t, `limits.connections is 24`)
	first.begin("alice", "bob")
	first.send(message("in need") + ".\r\n")
	first.want("250 2.")
	first.want("250 2.")

	for _, conn := range held {
		conn.Close()
	}
	next := sessionWhenRoom(t, dir)
	first.deliver("room again", "alice")
	next.deliver("in a new session", "bob")
	wantStored(t, dir, "alice", "before", "in need", "room again")
	wantStored(t, dir, "bob", "in need", "in a new session")
}

// TestFewThreads: where a user may have few threads, a crowd of clients that all deliver at once has an answer each,
// and the runtime has no reason to end the program.
func TestFewThreads(t *testing.T) {
	needRoot(t)
	program, err := staticDoorstep()
	if err != nil {
		t.Fatal(err)
	}
	dir := place(t)
	put("doorstep.toml", plainConfig("[limits]\ndeliveries_per_mailbox = 1000"), 0o644)(t, dir)
	for _, name := range []string{".", "mail"} {
		if err := os.Chown(filepath.Join(dir, name), starvedID, starvedID); err != nil {
			t.Fatal(err)
		}
	}
	as := strconv.Itoa(starvedID)
	s := &server{dir: dir, cmd: exec.Command("setpriv", "--reuid", as, "--regid", as, "--clear-groups",
		"prlimit", "--nproc=20", program, "serve", "-c", "doorstep.toml")}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.log
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.awaitLog(t, "msg=listening")
	s.awaitLog(t, "syncs are under way at once")
	var clients sync.WaitGroup
	delivered := make(chan error, 1000)
	for i := range 150 {
		to := []string{"alice@example.org", "bob@example.org"}[i%2]
		clients.Go(func() {
			for range 2 {
				delivered <- sendOne(t.Context(), dir, to, strings.NewReader(message("in need")))
			}
		})
	}
	clients.Wait()
	close(delivered)
	good := 0
	for err := range delivered {
		if err == nil {
			good++
		}
	}
	session(t, dir).deliver("afterwards", "alice")
	if n := len(stored(t, dir, "alice")) + len(stored(t, dir, "bob")); good == 0 || n != good+1 {
		t.Errorf("%d delivered, and %d stored", good, n)
	}
}

// sessionWhenRoom opens a session as soon as there is room for it: clients that have gone are still to be accepted,
// and noticed.
func sessionWhenRoom(t *testing.T, dir string) *dialogue {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		d := dial(t, dir)
		greeting, err := lmtptest.ReadReply(d.replies)
		switch {
		case err == nil && greeting.Code == 220:
			d.say("LHLO client.example", "250-")
			return d
		case time.Now().After(deadline):
			t.Fatalf("greeted with %v, %v", greeting, err)
		}
		d.conn.Close()
	}
}

// memory is the line of that key in the kernel's account of a process, less the pages of the program itself, which can
// be read again, in KiB.
func (s *server) memory(t *testing.T, key string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	kib := func(key string) int {
		n, err := strconv.Atoi(string(regexp.MustCompile(key + `:\s+(\d+) kB`).FindSubmatch(status)[1]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return kib(key) - kib("RssFile")
}

// TestManyLargeMessages is R16: a hundred large messages at once take less than 64 MiB, so that the
// kernel has no reason to kill the server where it may have no more.
func TestManyLargeMessages(t *testing.T) {
	const sessions, size, most = 100, 8 << 20, 64 << 10 // KiB
	dir := place(t)
	s := serveStatic(t, dir, plainConfig(""))

	// Every message waits before its last line until all of them are there.
	var there, sent sync.WaitGroup
	there.Add(sessions)
	for i := range sessions {
		sent.Go(func() {
			content := io.MultiReader(io.LimitReader(endless{}, size), &barrier{all: &there}, strings.NewReader(lastLine+"\r\n"))
			if err := sendOne(t.Context(), dir, fmt.Sprintf("alice+%d@example.org", i), content); err != nil {
				t.Error(err)
			}
		})
	}
	sent.Wait()
	peak := s.memory(t, "VmHWM")
	t.Logf("at most %d KiB", peak)
	if peak > most {
		t.Errorf("%d messages of %d octets took %d KiB, want at most %d", sessions, size, peak, most)
	}
	if n := len(names(t, filepath.Join(maildir(dir, "alice"), "new"))); n != sessions {
		t.Errorf("%d messages, want %d", n, sessions)
	}
	removeAll(t, dir)
}

func sendOne(ctx context.Context, dir, to string, content io.Reader) error {
	c, err := client.Dial(ctx, "unix:"+filepath.Join(dir, "lmtp"), client.Options{Timeout: patience})
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.Send(ctx, client.Message{From: "s@example.com", To: client.To(to), Content: content})
	if err == nil && !r.Recipients[0].Delivered() {
		err = fmt.Errorf("refused: %s", r.Recipients[0].Final)
	}
	return err
}

// endless is lines without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	const line = "a line of sixty-four octets, which come again and again and on\r\n"
	n := len(p) / len(line) * len(line)
	for i := 0; i < n; i += len(line) {
		copy(p[i:], line)
	}
	return n, nil
}

// A barrier is empty, once all have come to it.
type barrier struct{ all *sync.WaitGroup }

func (b *barrier) Read([]byte) (int, error) {
	b.all.Done()
	b.all.Wait()
	return 0, io.EOF
}

// TestFiftyRecipients is R11: fifty recipients, each with a mailbox of its own trouble or of none, some
// twice. Every one gets its own answer, in order, and the session goes on.
func TestFiftyRecipients(t *testing.T) {
	kinds := []struct {
		reply string
		spoil func(box string) error // nil: nothing is wrong
	}{
		{"250 2.0.0 ", nil},
		{"451 4.2.0 ", func(box string) error { return os.WriteFile(box, nil, 0o600) }},
		{"451 4.2.0 ", func(box string) error { return spoilt(box, "new", "") }},
		{"451 4.2.0 ", func(box string) error { return spoilt(box, "tmp", "/nonexistent") }},
		{"452 4.2.2 ", func(box string) error { return filled(box) }},
	}
	dir := place(t)
	configuration := plainConfig("")
	for i := range 40 {
		configuration += fmt.Sprintf("[[user]]\naddress = \"u%02d@example.org\"\nquota = 1000\n", i)
	}
	serveConfig(t, dir, configuration)
	var want []string
	d := session(t, dir)
	d.say("MAIL FROM:<s@example.com>", "250 ")
	for i := range 50 {
		// Of the last ten each is a mailbox that was named before.
		local := fmt.Sprintf("u%02d", i*7%40)
		kind := kinds[i*7%40%len(kinds)]
		box := maildir(dir, local)
		if i < 40 && kind.spoil != nil {
			if err := os.MkdirAll(filepath.Dir(box), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := kind.spoil(box); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasPrefix(kind.reply, "452") {
			d.say("RCPT TO:<"+local+"@example.org>", kind.reply)
			continue
		}
		d.say("RCPT TO:<"+local+"@example.org>", "250 ")
		want = append(want, kind.reply)
	}
	d.say("DATA", "354 ")
	d.send(message("to fifty") + ".\r\n")
	for _, reply := range want {
		d.want(reply)
	}
	d.deliver("the next", "alice")
	for i := range 40 {
		if kinds[i%len(kinds)].spoil == nil {
			wantStored(t, dir, fmt.Sprintf("u%02d", i), "to fifty")
		}
	}
}

// spoilt makes a Maildir with something in the place of one of its directories: a link where there
// is a target, else a file.
func spoilt(box, name, target string) error {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if sub == name {
			continue
		}
		if err := os.MkdirAll(filepath.Join(box, sub), 0o700); err != nil {
			return err
		}
	}
	if target != "" {
		return os.Symlink(target, filepath.Join(box, name))
	}
	return os.WriteFile(filepath.Join(box, name), nil, 0o600)
}

// filled makes a Maildir that is over its quota.
func filled(box string) error {
	if err := os.MkdirAll(filepath.Join(box, "cur"), 0o700); err != nil {
		return err
	}
	for _, sub := range []string{"tmp", "new"} {
		if err := os.Mkdir(filepath.Join(box, sub), 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(box, "cur", "1.full,S=5000:2,S"), make([]byte, 5000), 0o600)
}
